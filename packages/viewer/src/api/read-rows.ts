import type { StatementSync } from "node:sqlite";
import type { Store } from "../store/open-store.js";

type Parameters = Readonly<Record<string, string | number | null>>;

const statements = new WeakMap<Store["db"], Map<string, StatementSync>>();

/** Statements are prepared once: their texts are constants, values come as parameters. */
function prepare({ db }: Store, sql: string): StatementSync {
  let ofStore = statements.get(db);
  if (ofStore === undefined) statements.set(db, (ofStore = new Map()));
  let statement = ofStore.get(sql);
  if (statement === undefined) ofStore.set(sql, (statement = db.prepare(sql)));
  return statement;
}

/** `Row` is what the statement's columns are, which nobody checks. */
export function readRows<Row>(store: Store, sql: string, parameters: Parameters = {}): Row[] {
  return prepare(store, sql).all(parameters) as unknown as Row[];
}

export function readRow<Row>(store: Store, sql: string, parameters: Parameters = {}): Row | undefined {
  return prepare(store, sql).get(parameters) as unknown as Row | undefined;
}

/** One row after the other, for those who may stop before the last. */
export function eachRow<Row>(store: Store, sql: string, parameters: Parameters = {}): IterableIterator<Row> {
  return prepare(store, sql).iterate(parameters) as unknown as IterableIterator<Row>;
}

export function writeRow(store: Store, sql: string, parameters: Parameters): void {
  prepare(store, sql).run(parameters);
}
