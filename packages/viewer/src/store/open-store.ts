import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { loadSqlite } from "./load-sqlite.js";
import { SCHEMA } from "./schema.js";

/** What has been received: one SQLite database, used from one thread. */
export interface Store {
  readonly db: DatabaseSync;
  /** Undefined in memory. */
  readonly file: string | undefined;
  close(): void;
}

/** A file that cannot be used; the message says what to do. */
export class StoreFileError extends Error {
  override readonly name = "StoreFileError";
}

/** "telt": so that nobody's own database is taken for one of these. */
const APPLICATION = 0x74656c74;
/** Tables of another shape are another version; what is said about them makes no difference. */
const VERSION = crc32(SCHEMA.replaceAll(/--.*|\s+/g, "")) & 0x7fffffff;
/** SQLite's result codes: https://www.sqlite.org/rescode.html */
const BUSY = 5;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/**
 * Opens the database, and makes it where there is none. Without a file it is in memory, and gone with the process. A process that is
 * killed leaves a file that can be opened again, with all that was written.
 * @throws StoreFileError for a file that is damaged, in use, or something else
 */
export async function openStore(file?: string): Promise<Store> {
  const { DatabaseSync } = await loadSqlite();
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file ?? ":memory:");
    prepare(db, file);
    const open = db;
    return { db, file, close: () => open.close() };
  } catch (error) {
    db?.close();
    throw file === undefined ? error : explain(error, file);
  }
}

function prepare(db: DatabaseSync, file: string | undefined): void {
  // Nobody else writes, so there is nothing to share; and a table's first page is too late for auto_vacuum.
  db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY");
  const isNew = numberOf(db, "SELECT count(*) AS n FROM sqlite_schema") === 0;
  if (isNew && numberOf(db, "SELECT application_id AS n FROM pragma_application_id") === 0) {
    db.exec(
      `PRAGMA auto_vacuum = INCREMENTAL; PRAGMA user_version = ${VERSION}; PRAGMA application_id = ${APPLICATION}`,
    );
  }
  if (numberOf(db, "SELECT application_id AS n FROM pragma_application_id") !== APPLICATION)
    throw new StoreFileError(
      `${file} is a database of something else: name another file, or one that is not there yet`,
    );
  if (numberOf(db, "SELECT user_version AS n FROM pragma_user_version") !== VERSION)
    throw new StoreFileError(`${file} was written by another version of Telltale: delete it, or name another file`);
  db.exec("PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE; COMMIT");
  db.exec(SCHEMA);
  const check = db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (check !== "ok")
    throw new StoreFileError(
      `${file} is damaged (${String(check).replaceAll("\n", " ")}): delete it, or name another file`,
    );
}

function numberOf(db: DatabaseSync, query: string): number {
  return Number(db.prepare(query).get()?.["n"] ?? 0);
}

function explain(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreFileError) return error;
  const code = "errcode" in error ? Number(error.errcode) & 0xff : 0;
  const options = { cause: error };
  if (code === BUSY)
    return new StoreFileError(`${file} is in use: by another viewer? End that, or name another file`, options);
  if (code === NOT_A_DATABASE)
    return new StoreFileError(`${file} is no database: name another file, or one that is not there yet`, options);
  if (code === CORRUPT) return new StoreFileError(`${file} is damaged: delete it, or name another file`, options);
  return new StoreFileError(`${file} cannot be opened: ${error.message}`, options);
}
