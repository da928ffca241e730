import {
  type DatabaseOperation,
  defineInstrumentation,
  type Guard,
  type Instrumentation,
  type LoadedModule,
  replaceMethod,
  undoAll,
} from "@telltale/core";
import { type Hearing, isHearing, noRows, rowsOfList, rowsOfOne, rowsOfRun, wrapCall } from "./calls.js";
import { failPreparation } from "./failure.js";
import { wrapIterate } from "./iteration.js";
import { setState, StatementState, stateOf } from "./known-statement.js";
import { findTarget } from "./target.js";

type Method = (...values: unknown[]) => unknown;

/** In JavaScript; behind a symbol it has the one of the add-on, which does the work. */
interface Database {
  readonly name: string;
  readonly [symbol: symbol]: NativeDatabase;
}

interface NativeDatabase {
  prepare(text: unknown, database: Database, ...options: unknown[]): Statement;
}

interface Statement {
  readonly source: string;
  readonly database: Database;
  run: Method;
  get: Method;
  all: Method;
  iterate: Method;
}

/** What prepares statements. `explain` is newer than the rest. */
const FIRST_USES = ["prepare", "pragma", "transaction", "explain"];

/** Each is a main module of its own, for bundlers, since 13. */
const PLATFORMS = ["darwin", "linux", "linuxmusl", "win32"].flatMap((system) => [`${system}-arm64`, `${system}-x64`]);

/** better-sqlite3 11 to 13: an operation per statement run, as long as the event loop was blocked by it. */
export function betterSqlite3Instrumentation(): Instrumentation {
  const known = new Set<object>();
  return defineInstrumentation({
    name: "better-sqlite3",
    modules: [
      {
        module: "better-sqlite3",
        calls: "better-sqlite3",
        majors: [11, 13],
        others: PLATFORMS.map((platform) => `lib/${platform}.js`),
        patch: (loaded, guard) => patchBetterSqlite3(loaded, guard, known),
      },
    ],
  });
}

/**
 * The add-on is loaded with the first database, so its classes are patched where one first prepares a statement. All statements run through
 * them: those of transactions and pragmas, too. `known` are the add-on's prototypes that are patched: several main modules may share one.
 */
function patchBetterSqlite3({ exports }: LoadedModule, guard: Guard, known: Set<object>): () => void {
  const { prototype } = exports as { readonly prototype: Record<string, Method> & Database };
  const hearing: Hearing = { active: true, guard };
  const undo: (() => void)[] = [];
  let symbol: symbol | undefined;

  const wrapExec = (find: () => Method): Method =>
    wrapCall<Database>(hearing, find(), (database, [text]) => stateOfText(database, text), noRows, false);
  undo.push(replaceMethod<Method>(prototype, "exec", wrapExec));
  for (const name of FIRST_USES) if (name in prototype) undo.push(replaceMethod<Method>(prototype, name, wrapFirstUse));

  function wrapFirstUse(find: () => Method): Method {
    const original = find();
    return function patchedFirstUse(this: Database, ...values) {
      if (hearing.active && guard.on) meet(this);
      return Reflect.apply(original, this, values);
    };
  }

  function meet(database: Database | null | undefined): void {
    // Called on nothing, which is the driver's to refuse.
    if (database === undefined || database === null) return;
    try {
      symbol ??= Object.getOwnPropertySymbols(database)[0];
      const native = symbol === undefined ? undefined : database[symbol];
      const owner = native === undefined ? undefined : (Object.getPrototypeOf(native) as NativeDatabase);
      if (owner === undefined || known.has(owner)) return;
      known.add(owner);
      undo.push(replaceMethod<NativeDatabase["prepare"]>(owner, "prepare", wrapPrepare));
    } catch (error) {
      guard.failed(error);
    }
  }

  /** A statement is told of when it runs; one that cannot be prepared is a failed call. */
  function wrapPrepare(find: () => NativeDatabase["prepare"]): NativeDatabase["prepare"] {
    const original = find();
    return function prepare(this: NativeDatabase, ...values) {
      let statement: Statement;
      try {
        statement = Reflect.apply(original, this, values);
      } catch (error) {
        if (isHearing(hearing)) failPreparation(guard, () => stateOfText(values[1], values[0]), error);
        throw error;
      }
      if (hearing.active && guard.on) meetStatement(statement);
      return statement;
    };
  }

  function meetStatement(statement: Statement): void {
    try {
      const owner = Object.getPrototypeOf(statement) as Statement;
      if (known.has(owner)) return;
      known.add(owner);
      const patches: readonly [string, (result: unknown, operation: DatabaseOperation) => number | undefined][] = [
        ["run", rowsOfRun],
        ["get", rowsOfOne],
        ["all", rowsOfList],
      ];
      for (const [name, rowsOf] of patches) {
        undo.push(
          replaceMethod<Method>(owner, name, (find) => wrapCall<Statement>(hearing, find(), stateOfStatement, rowsOf)),
        );
      }
      undo.push(
        replaceMethod<Method>(owner, "iterate", (find) =>
          wrapIterate<Statement>(hearing, find(), stateOfStatement, undo),
        ),
      );
    } catch (error) {
      guard.failed(error);
    }
  }

  return () => {
    hearing.active = false;
    known.clear();
    undoAll(undo);
  };
}

function stateOfText(database: Database, text: unknown): StatementState | undefined {
  if (typeof text !== "string") return undefined;
  return new StatementState(findTarget("better-sqlite3", database.name).templateOf(text), text);
}

function stateOfStatement(statement: Statement): StatementState | undefined {
  const known = stateOf(statement);
  if (known !== undefined) return known;
  const state = stateOfText(statement.database, statement.source);
  if (state !== undefined) setState(statement, state);
  return state;
}
