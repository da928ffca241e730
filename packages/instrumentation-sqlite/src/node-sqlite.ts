import {
  Attached,
  type DatabaseTarget,
  defineInstrumentation,
  type Guard,
  type Instrumentation,
  replaceMethod,
  undoAll,
} from "@telltale/core";
import { type Hearing, isHearing, noRows, rowsOfList, rowsOfOne, rowsOfRun, wrapCall } from "./calls.js";
import { failPreparation } from "./failure.js";
import { wrapIterate } from "./iteration.js";
import { setState, StatementState, stateOf } from "./known-statement.js";
import { loadQuietly } from "./load-quietly.js";
import { findTarget } from "./target.js";

// What the oldest supported Node does not have is optional.

interface Database {
  prepare(text: unknown, ...options: unknown[]): Statement;
  exec(text: unknown): unknown;
  location?(): string | null;
  createTagStore?(...options: unknown[]): TagStore;
}

interface Runner {
  run(...values: unknown[]): unknown;
  get(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown;
  iterate(...values: unknown[]): unknown;
}

interface Statement extends Runner {
  readonly sourceSQL: string;
}

/** It prepares and keeps a statement for each text that it is given as a template string. */
interface TagStore extends Runner {
  readonly db?: Database;
}

interface NodeSqlite {
  readonly DatabaseSync: { readonly prototype: Database };
  readonly StatementSync: { readonly prototype: Statement };
}

class KnownDatabase extends Attached {
  readonly #target: DatabaseTarget;

  constructor(database: object, target: DatabaseTarget) {
    super(database);
    this.#target = target;
  }

  static targetOf(database: Database): DatabaseTarget {
    if (#target in database) return database.#target;
    const target = findTarget("node:sqlite", database.location?.() ?? undefined);
    // oxlint-disable-next-line no-new
    new KnownDatabase(database, target);
    return target;
  }
}

/** node:sqlite, on the Nodes that have it: an operation per statement run, as long as the event loop was blocked by it. */
export function sqliteInstrumentation(): Instrumentation {
  return defineInstrumentation({ name: "sqlite", modules: [], enable: patchNodeSqlite });
}

function patchNodeSqlite(guard: Guard): () => void {
  const loaded = loadQuietly<NodeSqlite>("node:sqlite");
  if (loaded === undefined) return () => {};
  const hearing: Hearing = { active: true, guard };
  const undo: (() => void)[] = [];
  const tagStores = new WeakSet<object>();
  const { DatabaseSync, StatementSync } = loaded.exports;
  const { warn } = loaded;

  patchRunner(StatementSync.prototype, stateOfStatement);
  undo.push(
    replaceMethod<Database["prepare"]>(DatabaseSync.prototype, "prepare", wrapPrepare),
    replaceMethod<Database["exec"]>(DatabaseSync.prototype, "exec", wrapExec),
  );
  if (DatabaseSync.prototype.createTagStore !== undefined) {
    undo.push(
      replaceMethod<(...options: unknown[]) => TagStore>(DatabaseSync.prototype, "createTagStore", wrapCreateTagStore),
    );
  }

  function patchRunner<Owner extends Runner>(
    prototype: Owner,
    stateFor: (owner: Owner, values: readonly unknown[]) => StatementState | undefined,
  ): void {
    undo.push(
      replaceMethod<Runner["run"]>(prototype, "run", (find) => wrapCall(hearing, find(), stateFor, rowsOfRun)),
      replaceMethod<Runner["get"]>(prototype, "get", (find) => wrapCall(hearing, find(), stateFor, rowsOfOne)),
      replaceMethod<Runner["all"]>(prototype, "all", (find) => wrapCall(hearing, find(), stateFor, rowsOfList)),
      replaceMethod<Runner["iterate"]>(prototype, "iterate", (find) => wrapIterate(hearing, find(), stateFor, undo)),
    );
  }

  /** A statement is told of when it runs; one that cannot be prepared is a failed call. */
  function wrapPrepare(find: () => Database["prepare"]): Database["prepare"] {
    const original = find();
    return function prepare(this: Database, ...values) {
      warn();
      let statement: Statement;
      try {
        statement = Reflect.apply(original, this, values);
      } catch (error) {
        if (isHearing(hearing)) failPreparation(guard, () => stateOfText(this, values[0]), error);
        throw error;
      }
      if (isHearing(hearing)) meetStatement(this, statement, values[0]);
      return statement;
    };
  }

  function meetStatement(database: Database, statement: Statement, text: unknown): void {
    try {
      const state = stateOfText(database, text);
      if (state !== undefined) setState(statement, state);
    } catch (error) {
      guard.failed(error);
    }
  }

  function wrapExec(find: () => Database["exec"]): Database["exec"] {
    const stateFor = (database: Database, [text]: readonly unknown[]) => {
      warn();
      return stateOfText(database, text);
    };
    return wrapCall<Database>(hearing, find(), stateFor, noRows, false);
  }

  function wrapCreateTagStore(find: () => (...options: unknown[]) => TagStore): (...options: unknown[]) => TagStore {
    const original = find();
    return function createTagStore(this: Database, ...options) {
      const store = Reflect.apply(original, this, options);
      if (hearing.active) meetTagStore(store);
      return store;
    };
  }

  function meetTagStore(store: TagStore): void {
    try {
      const owner = Object.getPrototypeOf(store) as TagStore;
      if (tagStores.has(owner)) return;
      tagStores.add(owner);
      patchRunner(owner, stateOfTemplate);
    } catch (error) {
      guard.failed(error);
    }
  }

  return () => {
    hearing.active = false;
    undoAll(undo);
  };
}

function stateOfText(database: Database, text: unknown): StatementState | undefined {
  if (typeof text !== "string") return undefined;
  return new StatementState(targetOf(database).templateOf(text), text);
}

/** Of one that was prepared unheard its database is not known. */
function stateOfStatement(statement: Statement): StatementState | undefined {
  const known = stateOf(statement);
  if (known !== undefined) return known;
  const text = textOf(statement);
  if (text === undefined) return undefined;
  const state = new StatementState(findTarget("node:sqlite", undefined).templateOf(text), text);
  setState(statement, state);
  return state;
}

/** One whose database is closed tells nothing any more. */
function textOf(statement: Statement): string | undefined {
  try {
    return statement.sourceSQL;
  } catch {
    return undefined;
  }
}

function stateOfTemplate(store: TagStore, [strings]: readonly unknown[]): StatementState | undefined {
  return Array.isArray(strings) && store.db !== undefined ? stateOfText(store.db, strings.join("?")) : undefined;
}

/** A closed database has no location to tell; its calls fail. */
function targetOf(database: Database): DatabaseTarget {
  try {
    return KnownDatabase.targetOf(database);
  } catch {
    return findTarget("node:sqlite", undefined);
  }
}
