/** Runs one statement by the extended protocol, which takes no second one, and returns its first column, row by row. */
export type Ask = (text: string, values?: readonly unknown[]) => Promise<readonly string[]>;

/**
 * A function that must not come near the planner: volatile ones, and all that neither PostgreSQL nor an extension brought along, since
 * planning may run those that are called stable or immutable. Triggers, and what takes `internal`, cannot be called by a query.
 */
const IS_DANGEROUS = `(p.provolatile = 'v' OR (p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e')))
  AND p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
  AND NOT 'pg_catalog.internal'::pg_catalog.regtype::oid = ANY (p.proargtypes)`;

/**
 * By name only, wherever it is: `column.name` may call a function, too, and which schema a name is found in depends on settings. $1: names,
 * $2: operators.
 */
const DANGERS = `
SELECT pg_catalog.json_build_array('calls ' || p.proname || '(), which is volatile or not built in', NULL)::text
  FROM pg_catalog.pg_proc p WHERE p.proname = ANY ($1::name[]) AND ${IS_DANGEROUS}
UNION ALL
SELECT pg_catalog.json_build_array('uses an operator ' || o.oprname || ' whose function is volatile or not built in', NULL)::text
  FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
  WHERE o.oprname = ANY ($2::name[]) AND ${IS_DANGEROUS}
UNION ALL
SELECT pg_catalog.json_build_array('may use a cast whose function is volatile or not built in', NULL)::text
  FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_proc p ON p.oid = c.castfunc WHERE ${IS_DANGEROUS}
UNION ALL
SELECT CASE
    WHEN c.relkind = 'f' THEN pg_catalog.json_build_array('reads a foreign table', NULL)::text
    WHEN c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
      THEN pg_catalog.json_build_array('reads a system catalog', NULL)::text
    ELSE pg_catalog.json_build_array(NULL, pg_catalog.pg_get_viewdef(c.oid))::text END
  FROM pg_catalog.pg_class c
  WHERE c.relname = ANY ($1::name[]) AND c.relnamespace <> 'information_schema'::pg_catalog.regnamespace
    AND (c.relkind IN ('v', 'f') OR c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relkind IN ('r', 'm'))
UNION ALL
SELECT pg_catalog.json_build_array('reads a foreign table', NULL)::text WHERE EXISTS (
  WITH RECURSIVE parts(oid) AS (
    SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname = ANY ($1::name[]) AND c.relhassubclass
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN parts ON i.inhparent = parts.oid)
  SELECT FROM parts JOIN pg_catalog.pg_foreign_table f ON f.ftrelid = parts.oid)
UNION ALL
SELECT pg_catalog.json_build_array(NULL, pg_catalog.pg_get_expr(y.polqual, y.polrelid))::text
  FROM pg_catalog.pg_policy y JOIN pg_catalog.pg_class c ON c.oid = y.polrelid
  WHERE c.relname = ANY ($1::name[]) AND y.polqual IS NOT NULL`;

/** A row of it: why not, or the definition of a view or policy, which is to be looked into. */
export type Danger = readonly [reason: string | null, definition: string | null];

/** What stands against a query with these names and operators, by the catalog. */
export async function findDangers(
  ask: Ask,
  names: readonly string[],
  operators: readonly string[],
): Promise<readonly Danger[]> {
  const rows = await ask(DANGERS, [names, operators]);
  return rows.map((row) => JSON.parse(row) as Danger);
}

export interface ServerFacts {
  readonly version: number;
  /** Bytes a sort may take in memory. */
  readonly workMem: number;
  readonly isUtf8: boolean;
  /** Its views are everywhere, and not looked into. */
  readonly readsInformationSchema: boolean;
}

const SERVER = `SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version_num')::int,
  'workMem', pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem')),
  'isUtf8', pg_catalog.current_setting('client_encoding') = 'UTF8',
  'readsInformationSchema', 'information_schema' = ANY (pg_catalog.current_schemas(false)))::text`;

export async function readServer(ask: Ask): Promise<ServerFacts> {
  const [row = "{}"] = await ask(SERVER);
  return JSON.parse(row) as ServerFacts;
}

/** What the statistics and the catalog know of a table of the plan. */
export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  /** By the planner's statistics; -1 where there are none. */
  readonly planRows: number;
  /** Rows, and how many were changed since the last ANALYZE; counters, 0 on a standby. */
  readonly liveRows: number;
  readonly changedRows: number;
  readonly pages: number;
  /** False where no column has statistics; undefined where that is not ours to know. */
  readonly isAnalyzed: boolean | undefined;
  /** Type by column. */
  readonly columns: Readonly<Record<string, string>>;
  /** Columns of each valid whole-table index, null for an expression. */
  readonly indexes: readonly (readonly (string | null)[])[];
}

/** $1: schemas, $2: tables in them. */
const TABLES = `
SELECT pg_catalog.json_build_object(
  'schema', n.nspname, 'name', c.relname, 'planRows', c.reltuples::float8,
  'liveRows', COALESCE(s.n_live_tup, 0), 'changedRows', COALESCE(s.n_mod_since_analyze, 0),
  'pages', pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int,
  'isAnalyzed', CASE WHEN NOT pg_catalog.row_security_active(c.oid) THEN EXISTS (
    SELECT FROM pg_catalog.pg_stats t WHERE t.schemaname = n.nspname AND t.tablename = c.relname) END,
  'columns', (SELECT pg_catalog.json_object_agg(a.attname, pg_catalog.format_type(a.atttypid, NULL))
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'indexes', (SELECT COALESCE(pg_catalog.json_agg((
      SELECT pg_catalog.json_agg(a.attname ORDER BY k.place)
      FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number AND k.number > 0)), '[]')
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam
    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree'))::text
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS wanted(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid`;

export async function readTables(
  ask: Ask,
  tables: readonly { readonly schema: string; readonly name: string }[],
): Promise<readonly TableFacts[]> {
  if (tables.length === 0) return [];
  const rows = await ask(TABLES, [tables.map(({ schema }) => schema), tables.map(({ name }) => name)]);
  return rows.map((row) => JSON.parse(row) as TableFacts);
}
