import { createRequire } from "node:module";
import { betterSqlite3Instrumentation, sqliteInstrumentation } from "../src/index.js";

// The instrumentations must be on before the libraries load, as the preload sees to it.
export const instrumentations = [sqliteInstrumentation(), betterSqlite3Instrumentation()];
for (const instrumentation of instrumentations) instrumentation.enable();

export interface Statement {
  run(...values: unknown[]): { changes: number | bigint };
  get(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
  iterate(...values: unknown[]): IterableIterator<unknown>;
}

/** What the two libraries have in common. */
export interface Database {
  prepare(text: string): Statement;
  exec(text: string): unknown;
  function(name: string, run: (...values: never[]) => unknown): unknown;
  close(): unknown;
}

export interface BetterDatabase extends Database {
  pragma(text: string, options?: object): unknown;
  transaction<Values extends unknown[]>(run: (...values: Values) => unknown): (...values: Values) => unknown;
}

export interface Library {
  readonly name: string;
  readonly isBetter: boolean;
  open(path: string, options?: object): Database;
  /** `error.type` and status of a row that exists already. */
  readonly exists: readonly [string, string];
}

type BetterSqlite3 = new (path: string, options?: object) => BetterDatabase;

const require = createRequire(import.meta.url);
const newest = require("better-sqlite3") as BetterSqlite3;
const oldest = createRequire(new URL("../../../.old-majors/package.json", import.meta.url))(
  "better-sqlite3",
) as BetterSqlite3;

/**
 * The oldest release brings no add-on that runs here, and it can neither be downloaded nor built in the time of a test: its JavaScript runs
 * on the add-on of the newest, which wants to be initialised another way and takes more arguments. That the older add-on does as the newer
 * one does is not shown here; it was once, by hand, with that of 12.11.1, built for Node 24.
 */
function borrowAddOn(): object {
  new newest(":memory:").close();
  const { getBinding } = require(
    require.resolve("better-sqlite3/package.json").replace(/package\.json$/, "lib/binding.js"),
  ) as { getBinding(): { Database: new (...values: unknown[]) => { prepare(...values: unknown[]): unknown } } };
  const { Database: Native } = getBinding();
  const { prepare } = Native.prototype as { prepare(...values: unknown[]): unknown };
  class BorrowedDatabase extends Native {
    constructor(...values: unknown[]) {
      super(...values, null, null);
    }
    override prepare(...values: unknown[]): unknown {
      return Reflect.apply(prepare, this, [...values, false]);
    }
  }
  return { Database: BorrowedDatabase, setErrorConstructor() {} };
}

const nativeBinding = borrowAddOn();
const { DatabaseSync } = require("node:sqlite") as typeof import("node:sqlite");

export const libraries: readonly Library[] = [
  {
    name: "node:sqlite",
    isBetter: false,
    open: (path, options = {}) => new DatabaseSync(path, options) as unknown as Database,
    exists: ["ERR_SQLITE_ERROR", "1555"],
  },
  {
    name: "the newest better-sqlite3",
    isBetter: true,
    open: (path, options) => new newest(path, options),
    exists: ["SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_PRIMARYKEY"],
  },
  {
    name: "the JavaScript of the oldest better-sqlite3",
    isBetter: true,
    open: (path, options) => new oldest(path, { nativeBinding, ...options }),
    exists: ["SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_PRIMARYKEY"],
  },
];
