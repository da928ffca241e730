import type { DatabaseSync } from "node:sqlite";
import { loadSqlite } from "./load-sqlite.js";
import { SCHEMA } from "./schema.js";

/** What has been received: one SQLite database, used from one thread. */
export interface Store {
  readonly db: DatabaseSync;
  /** Undefined in memory. */
  readonly file: string | undefined;
  close(): void;
}

/** Opens the database, and makes it where there is none. Without a file it is in memory, and gone with the process. */
export async function openStore(file?: string): Promise<Store> {
  const { DatabaseSync } = await loadSqlite();
  const db = new DatabaseSync(file ?? ":memory:");
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA auto_vacuum = INCREMENTAL",
  );
  db.exec(SCHEMA);
  return { db, file, close: () => db.close() };
}
