import type { TableName } from "./explain-safety.js";

/** Runs one statement, prepared, so that the server takes no second one, and returns its rows as texts. */
export type Ask = (text: string, values?: readonly unknown[]) => Promise<readonly (readonly (string | null)[])[]>;

export interface ServerFacts {
  readonly modes: string;
  readonly charset: string;
  readonly database: string | null;
  /** Bytes a sort may take in memory. */
  readonly sortBuffer: number;
}

export async function readServer(ask: Ask): Promise<ServerFacts> {
  const [row = []] = await ask("SELECT @@sql_mode, @@character_set_client, DATABASE(), @@sort_buffer_size");
  const [modes = null, charset = null, database = null, sortBuffer = null] = row;
  return { modes: modes ?? "", charset: charset ?? "", database, sortBuffer: Number(sortBuffer) };
}

/** A table or view that a text may mean. */
export interface FoundTable {
  readonly schema: string;
  readonly name: string;
  readonly type: string;
  readonly engine: string;
}

/** Looks every name up by itself: by list, MariaDB would open every table there is. */
export async function findTables(
  ask: Ask,
  names: readonly TableName[],
  database: string | null,
): Promise<readonly FoundTable[]> {
  const wanted = names.flatMap(({ schema = database, name }) => (schema === null ? [] : [[schema, name]]));
  if (wanted.length === 0) return [];
  const one =
    "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?";
  const rows = await ask(wanted.map(() => one).join(" UNION "), wanted.flat());
  return rows.map(([schema, name, type, engine]) => ({
    schema: schema ?? "",
    name: name ?? "",
    type: type ?? "",
    engine: engine ?? "",
  }));
}

/** What the catalog knows of a table. */
export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  /** Bytes; an estimate. */
  readonly rowLength: number;
  /** Type by column. */
  readonly columns: ReadonlyMap<string, string>;
  /** Columns of each index that keeps an order, null for an expression or part of a column. */
  readonly indexes: readonly (readonly (string | null)[])[];
}

const WHERE = "WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?";

export async function readTable(ask: Ask, { schema, name }: FoundTable): Promise<TableFacts> {
  const values = [schema, name];
  const [[rowLength = null] = []] = await ask(`SELECT AVG_ROW_LENGTH FROM information_schema.TABLES ${WHERE}`, values);
  const columns = await ask(`SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS ${WHERE}`, values);
  const parts = await ask(
    `SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS ${WHERE}
    AND INDEX_TYPE = 'BTREE' ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
    values,
  );
  const indexes = new Map<string, (string | null)[]>();
  for (const [index, column = null, part = null] of parts) {
    const key = index ?? "";
    indexes.set(key, [...(indexes.get(key) ?? []), part === null ? column : null]);
  }
  return {
    schema,
    name,
    rowLength: Number(rowLength),
    columns: new Map(columns.map(([column, type]) => [column ?? "", (type ?? "").toLowerCase()])),
    indexes: [...indexes.values()],
  };
}
