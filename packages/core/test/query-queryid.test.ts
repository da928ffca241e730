import { describeWith } from "@telltale/test/describe-with";
import { startPostgres, type PostgresServer } from "@telltale/test/servers";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { analyzeQuery } from "../src/index.js";
import { createVariants, SHAPES, type Variant } from "./query-shapes.js";

const SCHEMA = `
  CREATE EXTENSION pg_stat_statements;
  CREATE TABLE orders (id int, customer_id int, note text, total numeric, created timestamptz, big bigint, paid bool, tags int[]);
  CREATE TABLE customers (id int, name text, country text);
  CREATE TABLE targets (id int UNIQUE, name text);
  CREATE SCHEMA other;
  CREATE TABLE other.customers (country text, name text, id int);
  CREATE PROCEDURE nothing(int) LANGUAGE sql AS 'SELECT 1'`;

type Difference = readonly [why: string, one: string, two: string];

/** PostgreSQL analyses what names mean; we read the text. */
const ONE_FOR_POSTGRES: readonly Difference[] = [
  ["output names", "SELECT id AS a FROM orders", "SELECT id AS b FROM orders"],
  ["* and the columns it stands for", "SELECT * FROM customers", "SELECT id, name, country FROM customers"],
  ["qualified names", "SELECT id FROM orders", "SELECT orders.id FROM public.orders"],
  ["superfluous parentheses", "SELECT id FROM orders WHERE id = 1", "SELECT id FROM orders WHERE (id = (1))"],
  [
    "noise words",
    "SELECT o.id FROM orders o JOIN customers c ON c.id = o.id",
    "SELECT o.id FROM orders AS o INNER JOIN customers AS c ON c.id = o.id",
  ],
  ["defaults written out", "SELECT id FROM orders ORDER BY id", "SELECT ALL id FROM orders ORDER BY id ASC NULLS LAST"],
  ["synonyms", "SELECT id FROM orders WHERE total::int4 = 1", "SELECT id FROM orders WHERE CAST(total AS integer) = 1"],
  ["synonyms", "SELECT id FROM orders WHERE id BETWEEN 1 AND 2", "SELECT id FROM orders WHERE id >= 1 AND id <= 2"],
  ["synonyms", "SELECT id FROM orders LIMIT 1", "SELECT id FROM orders FETCH FIRST 1 ROW ONLY"],
  ["synonyms", "SELECT id FROM orders WHERE note LIKE 'a'", "SELECT id FROM orders WHERE note ~~ 'a'"],
  ["synonyms", "SELECT id FROM orders WHERE id IN (1)", "SELECT id FROM orders WHERE id = 1"],
  ["synonyms", "SELECT id FROM orders WHERE id IN (1, 2)", "SELECT id FROM orders WHERE id = ANY (ARRAY[1, 2])"],
  ["synonyms", "COMMIT", "END"],
  ["order of clauses", "SELECT id FROM orders LIMIT 1 OFFSET 1", "SELECT id FROM orders OFFSET 1 LIMIT 1"],
  ["positions and the columns they name", "SELECT id FROM orders ORDER BY 1", "SELECT id FROM orders ORDER BY id"],
  ["types of constants written out", "SELECT id FROM orders WHERE id = 1", "SELECT id FROM orders WHERE id = '1'::int"],
  [
    "types of constants written out",
    "SELECT id FROM orders WHERE created > '2020-01-01'",
    "SELECT id FROM orders WHERE created > timestamptz '2020-01-01'",
  ],
  ["signs within signs", "SELECT -(1)", "SELECT 1"],
  ["lengths of types", "SELECT total::numeric(10) FROM orders", "SELECT total::numeric(10, 2) FROM orders"],
];

/** We leave out every constant, of whatever type and place. */
const TWO_FOR_POSTGRES: readonly Difference[] = [
  ["constants of different types", "SELECT id FROM orders WHERE id = 1", "SELECT id FROM orders WHERE id = 1.5"],
  ["constants of different types", "SELECT id FROM orders WHERE id = 1", "SELECT id FROM orders WHERE id = 9999999999"],
  ["constants of different types", "SELECT 'a'", "SELECT 1"],
  ["constants of different types", "SELECT true", "SELECT NULL"],
  ["rows of VALUES", "VALUES (1, 2), (3, 4)", "VALUES (1, 2), (3, 4), (5, 6)"],
  ["constants of utility statements", "SET TIME ZONE 'UTC'", "SET TIME ZONE 'CET'"],
  ["constants of utility statements", "NOTIFY news, 'a'", "NOTIFY news, 'b'"],
  ["constants of utility statements", "DO $$ BEGIN END $$", "DO $$ BEGIN NULL; END $$"],
  ["constants of utility statements", "COMMENT ON TABLE orders IS 'a'", "COMMENT ON TABLE orders IS 'b'"],
];

describeWith(["postgres"], "query shapes", () => {
  let server: PostgresServer;
  let client: Client;
  let observer: Client;

  beforeAll(async () => {
    server = await startPostgres({
      settings: { shared_preload_libraries: "pg_stat_statements", compute_query_id: "on" },
    });
    client = new Client({ connectionString: server.url });
    observer = new Client({ connectionString: server.url });
    await Promise.all([client.connect(), observer.connect()]);
    await client.query(SCHEMA);
  });

  afterAll(async () => {
    await Promise.all([client?.end(), observer?.end()]);
    await server?.stop();
  });

  /** What pg_stat_statements knows the query by: of the last statement of the connection. */
  async function queryIdOf({ text, values }: Variant): Promise<string> {
    await client.query(values === undefined ? { text } : { text, values }).catch((cause: unknown) => {
      throw new Error(`PostgreSQL refuses ${JSON.stringify(text)}: ${String(cause)}`, { cause });
    });
    const { rows } = await observer.query<{ query_id: string }>(
      "SELECT query_id FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    return String(rows[0]?.query_id);
  }

  test("fingerprints part 2,000 queries as pg_stat_statements does", async () => {
    const seed = Number(process.env["QUERY_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const shapeOfId = new Map<string, string>();
    const idOfShape = new Map<string, string>();
    const wrong: string[] = [];
    const variants = createVariants(seed);
    for (let i = 0; i < 2_000; i += 1) {
      const query = variants.next(i % SHAPES.length);
      const id = await queryIdOf(query);
      const { fingerprint } = analyzeQuery(query.text, "postgresql");
      const first = shapeOfId.get(id) ?? `${fingerprint} ${query.text}`;
      const firstId = idOfShape.get(fingerprint) ?? `${id} ${query.text}`;
      shapeOfId.set(id, first);
      idOfShape.set(fingerprint, firstId);
      if (!first.startsWith(fingerprint)) wrong.push(`one for PostgreSQL:\n${first}\n${fingerprint} ${query.text}`);
      if (!firstId.startsWith(id)) wrong.push(`two for PostgreSQL:\n${firstId}\n${id} ${query.text}`);
    }
    expect(wrong.slice(0, 5), `QUERY_SEED=${seed}`).toEqual([]);
    expect(shapeOfId.size, `QUERY_SEED=${seed}`).toBe(SHAPES.length);
  });

  test.each(ONE_FOR_POSTGRES)("one for PostgreSQL, two for us: %s (%s, %s)", async (_why, one, two) => {
    expect(await queryIdOf({ text: two })).toBe(await queryIdOf({ text: one }));
    expect(shapeOf(two)).not.toBe(shapeOf(one));
  });

  test.each(TWO_FOR_POSTGRES)("two for PostgreSQL, one for us: %s (%s, %s)", async (_why, one, two) => {
    expect(await queryIdOf({ text: two })).not.toBe(await queryIdOf({ text: one }));
    expect(shapeOf(two)).toBe(shapeOf(one));
  });

  test("two for PostgreSQL, one for us: tables of one name in two schemas", async () => {
    const text = "SELECT name, country FROM customers";
    const one = await queryIdOf({ text });
    await client.query("SET search_path = other");
    const two = await queryIdOf({ text }).finally(() => client.query("RESET search_path"));
    expect(two).not.toBe(one);
  });
});

function shapeOf(text: string): string {
  return analyzeQuery(text, "postgresql").fingerprint;
}
