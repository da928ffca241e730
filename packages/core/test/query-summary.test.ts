import { describe, expect, test } from "vitest";
import { analyzeQuery, type QueryShape, type SqlDialect } from "../src/index.js";

type Row = readonly [text: string, summary: string, collection: string | undefined, effect: QueryShape["effect"]];

const ROWS: readonly Row[] = [
  ["SELECT * FROM orders WHERE id = 1", "SELECT orders", "orders", "read"],
  ["select * from orders o join items i on i.order_id = o.id", "SELECT orders items", undefined, "read"],
  ["SELECT * FROM orders o LEFT JOIN items AS i USING (id), users", "SELECT orders items users", undefined, "read"],
  ["SELECT * FROM orders a JOIN orders b ON a.id = b.parent", "SELECT orders orders", "orders", "read"],
  ["SELECT * FROM a JOIN b ON f(a.id, 1) = b.id, c ORDER BY 1, 2", "SELECT a b c", undefined, "read"],
  ["SELECT 1", "SELECT", undefined, "read"],
  ["SELECT pg_sleep(1)", "SELECT", undefined, "read"],
  ["SELECT * FROM generate_series(1, 5) AS g", "SELECT generate_series", undefined, "read"],
  ["SELECT * FROM orders, unnest(tags) t, LATERAL f(x)", "SELECT orders unnest f", "orders", "read"],
  [
    'SELECT * FROM public.orders, "My Schema"."Order Items"',
    'SELECT public.orders "My Schema"."Order Items"',
    undefined,
    "read",
  ],
  ["SELECT * FROM ONLY orders FOR UPDATE OF orders", "SELECT orders", "orders", "read"],
  ["SELECT * FROM ((a JOIN b ON true) JOIN c ON true)", "SELECT a b c", undefined, "read"],
  ["SELECT * FROM (SELECT * FROM orders) s", "SELECT SELECT orders", "orders", "read"],
  ["SELECT id FROM a WHERE id IN (SELECT id FROM b) AND x", "SELECT a SELECT b", undefined, "read"],
  ["SELECT a FROM x UNION ALL SELECT a FROM y", "SELECT x SELECT y", undefined, "read"],
  ["SELECT extract(year FROM t), trim(both 'x' FROM n) FROM orders", "SELECT orders", "orders", "read"],
  ["SELECT * FROM a WHERE x IS DISTINCT FROM y AND p IS NOT DISTINCT FROM q", "SELECT a", "a", "read"],
  ["(SELECT * FROM a) ORDER BY 1", "SELECT a", "a", "read"],
  ["SELECT * INTO copies FROM orders", "SELECT copies orders", undefined, "write"],
  ["WITH x AS (SELECT * FROM orders) SELECT * FROM x", "SELECT orders SELECT", "orders", "read"],
  [
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION SELECT n + 1 FROM x), y AS MATERIALIZED (TABLE z) SELECT * FROM x, y, w",
    "SELECT SELECT SELECT w",
    "w",
    "read",
  ],
  [
    "WITH d AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM d",
    "DELETE a INSERT b SELECT",
    undefined,
    "write",
  ],
  ["WITH d AS (UPDATE a SET x = 1 RETURNING *) SELECT * FROM d", "UPDATE a SELECT", "a", "write"],
  ["INSERT INTO shipping (a, b) SELECT a, b FROM orders", "INSERT shipping SELECT orders", undefined, "write"],
  ["INSERT INTO t (a) VALUES (1), (2) ON CONFLICT (a) DO UPDATE SET a = 2", "INSERT t", "t", "write"],
  ["UPDATE orders SET a = (SELECT max(a) FROM items)", "UPDATE orders SELECT items", undefined, "write"],
  ["UPDATE ONLY orders o SET a = i.a FROM items i WHERE i.id = o.id", "UPDATE orders items", undefined, "write"],
  ["DELETE FROM orders USING items WHERE true", "DELETE orders items", undefined, "write"],
  [
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "MERGE t s",
    undefined,
    "write",
  ],
  [
    "CREATE TABLE IF NOT EXISTS x (id int REFERENCES y ON DELETE CASCADE ON UPDATE SET NULL)",
    "CREATE TABLE x",
    "x",
    "write",
  ],
  ["CREATE TEMP TABLE x AS SELECT * FROM y", "CREATE TABLE x SELECT y", undefined, "write"],
  ["CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX i", undefined, "write"],
  ["ALTER TABLE public.x ADD COLUMN y int", "ALTER TABLE public.x", "public.x", "write"],
  ["DROP VIEW IF EXISTS v", "DROP VIEW v", undefined, "write"],
  ["TRUNCATE orders", "TRUNCATE orders", "orders", "write"],
  ["GRANT SELECT, UPDATE ON orders TO someone", "GRANT", undefined, "write"],
  ["COPY orders FROM STDIN", "COPY orders", "orders", "write"],
  ["COPY (SELECT * FROM orders) TO STDOUT", "COPY SELECT orders", "orders", "write"],
  ["CALL do_it(1)", "CALL do_it", undefined, "write"],
  ["EXEC dbo.do_it 1", "EXEC dbo.do_it", undefined, "write"],
  ["EXPLAIN SELECT * FROM orders", "EXPLAIN SELECT orders", "orders", "read"],
  ["EXPLAIN DELETE FROM orders", "EXPLAIN DELETE orders", "orders", "read"],
  ["EXPLAIN (COSTS OFF, ANALYZE) DELETE FROM orders", "EXPLAIN DELETE orders", "orders", "write"],
  ["VALUES (1), (2)", "VALUES", undefined, "read"],
  ["TABLE orders", "TABLE orders", "orders", "read"],
  ["SHOW search_path", "SHOW", undefined, "read"],
  ["BEGIN", "BEGIN", undefined, "control"],
  ["start transaction read only", "START", undefined, "control"],
  ["COMMIT", "COMMIT", undefined, "control"],
  ["END", "END", undefined, "control"],
  ["ROLLBACK TO SAVEPOINT s1", "ROLLBACK", undefined, "control"],
  ["ABORT", "ABORT", undefined, "control"],
  ["SAVEPOINT s1", "SAVEPOINT", undefined, "control"],
  ["RELEASE s1", "RELEASE", undefined, "control"],
  ["SET LOCAL x TO 'y'", "SET", undefined, "control"],
  ["RESET ALL", "RESET", undefined, "control"],
  ["DISCARD ALL", "DISCARD", undefined, "control"],
  ["LISTEN news", "LISTEN", undefined, "control"],
  ["UNLISTEN *", "UNLISTEN", undefined, "control"],
  ["NOTIFY news, 'x'", "NOTIFY", undefined, "control"],
  ["DEALLOCATE p", "DEALLOCATE", undefined, "control"],
  ["PREPARE p AS SELECT * FROM orders", "PREPARE SELECT orders", "orders", "control"],
  ["LOCK TABLE orders", "LOCK", undefined, "control"],
  ["SELECT 1; UPDATE x SET b = 2;", "SELECT; UPDATE x", "x", "write"],
  ["BEGIN; SELECT * FROM a; COMMIT", "BEGIN; SELECT a; COMMIT", "a", "read"],
  ["-- nothing", "", undefined, "control"],
];

test.each(ROWS)("%s", (text, summary, collection, effect) => {
  const shape = analyzeQuery(text, "postgresql");
  expect(shape).toMatchObject({ summary, effect });
  expect(shape.collection).toBe(collection);
  expect(shape.operationName).toBe(summary === "" ? undefined : summary.split(/[ ;]/)[0]);
});

const OTHERS: readonly (readonly [SqlDialect, string, string])[] = [
  ["mysql", "REPLACE INTO `t` VALUES (1)", "REPLACE `t`"],
  ["mysql", "INSERT IGNORE INTO t (a) VALUES (replace('a', 'b', 'c')) ON DUPLICATE KEY UPDATE a = 1", "INSERT t"],
  ["mysql", 'UPDATE a JOIN b ON a.id = b.id SET a.x = "FROM c"', "UPDATE a b"],
  ["sqlite", "INSERT OR ABORT INTO [my table] VALUES (1)", "INSERT [my table]"],
  ["sqlite", "PRAGMA journal_mode = 'wal'", "PRAGMA"],
];
test.each(OTHERS)("%s: %s", (dialect, text, summary) => {
  expect(analyzeQuery(text, dialect).summary).toBe(summary);
});

test("a summary is at most 255 characters long, cut at a word", () => {
  const tables = Array.from({ length: 100 }, (_, i) => `table_${i}`);
  const { summary } = analyzeQuery(`SELECT * FROM ${tables.join(", ")}`, "postgresql");
  expect(summary.length).toBeLessThanOrEqual(255);
  expect(`SELECT ${tables.join(" ")} `.startsWith(`${summary} `)).toBe(true);
  expect(analyzeQuery(`SELECT * FROM ${"a".repeat(300)}`, "postgresql").summary.length).toBeLessThanOrEqual(255);
});

describe("sanitised text", () => {
  const texts: readonly (readonly [SqlDialect, string, string])[] = [
    ["postgresql", "SELECT  *\n\tFROM a /* why */ WHERE b = 'x' -- end", "SELECT * FROM a WHERE b = ?"],
    ["postgresql", "SELECT a-1, -1, a::int, '1'::int, $1, \"A\"", 'SELECT a-?, ?, a::int, ?::int, $1, "A"'],
    [
      "postgresql",
      "SELECT a FROM t WHERE b IN (1, -2, 'c') AND d IN ($1, $2) AND e IN (1)",
      "SELECT a FROM t WHERE b IN (?) AND d IN (?) AND e IN (?)",
    ],
    [
      "postgresql",
      "SELECT TRUE, null, a IS NOT NULL, NOT false FROM t WHERE a IS NOT TRUE",
      "SELECT ?, ?, a IS NOT NULL, NOT ? FROM t WHERE a IS NOT TRUE",
    ],
    [
      "postgresql",
      "SELECT date '2020-01-01', E'it\\'s', $x$ $$ $x$, x'1F', 1e-5, 0x1F, .5 LIMIT 3;",
      "SELECT date ?, ?, ?, ?, ?, ?, ? LIMIT ?",
    ],
    ["postgresql", "select a->>'k', b @> '{}', c ? 'd', e[1:2]", "select a->>?, b @> ?, c ? ?, e[?:?]"],
    ["postgresql", "SET search_path = secret, public; SELECT 1", "SET search_path = ?; SELECT ?"],
    ["postgresql", "SELECT 1$$a b$$, $1$$c d$$", "SELECT ??, $1?"],
    ["postgresql", "SAVEPOINT sp_12", "SAVEPOINT ?"],
    ["mysql", "SELECT `a``b`, \"x\\\"y\", 'it\\'s', ?, @v # end", "SELECT `a``b`, ?, ?, ?, @v"],
    ["mysql", "SELECT 5--3 -- end", "SELECT ?-?"],
    ["sqlite", "SELECT [a b], \"c\", `d`, :e, ?1, @f, $g, x'00'", 'SELECT [a b], "c", `d`, :e, ?1, @f, $g, ?'],
  ];
  test.each(texts)("%s: %s", (dialect, text, sanitised) => {
    expect(analyzeQuery(text, dialect).queryText).toBe(sanitised);
  });
});
