import fc from "fast-check";
import type { Client } from "pg";
import { type PostgresServer, startPostgres } from "@telltale/test/servers";
import { describeWith } from "@telltale/test/describe-with";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recognizeSelect } from "../src/explain-safety.js";
import { type Connection, explainSelect } from "../src/explain-session.js";
import { readStrictly } from "../src/explain-tokens.js";
import { pg } from "./pg.js";

const keysOf = (text: string): string[] | undefined => readStrictly(text)?.map(({ kind, key }) => `${kind} ${key}`);

describe("what is read, and what is left alone", () => {
  test.each<[text: string, keys: string[] | undefined]>([
    ["SELECT 1", ["word select", "number "]],
    ["a--b\nc", ["word a", "word c"]],
    ["a--b\rc", ["word a", "word c"]],
    ["/* a /* b */ c */d", ["word d"]],
    ["/* a /* b */ c", undefined],
    ["'it''s'", ["string "]],
    ["'a\\' b", ["string ", "word b"]],
    ["E'a\\' b'", ["string "]],
    ["e'a''\\''", ["string "]],
    ["E'a' 'b'", undefined],
    ["'a'\n'b'", undefined],
    ["'a' -- c\n'b'", undefined],
    ["'open", undefined],
    ["'open''", undefined],
    ['"a""b" "C"', ['name a"b', "name C"]],
    ['"open', undefined],
    ['""', ["name "]],
    ["U&'\\0061'", undefined],
    ['U&"\\0061"', undefined],
    ["u & 1", ["word u", "operator &", "number "]],
    ["u&1", undefined],
    ["$$ ' $x$ $$", ["string "]],
    ["$x$ $$ $x$", ["string "]],
    ["$x$ $X$", undefined],
    ["a$x$ $x$", undefined],
    ["a$x$", ["word a$x$"]],
    ["$1 + $12", ["param 1", "operator +", "param 12"]],
    ["$1a", undefined],
    ["$1$$ $$", undefined],
    ["1e5 1.5 .5 1. 0x1F", ["number ", "number ", "number ", "number ", "number "]],
    ["1e'\\''", undefined],
    ["1a", undefined],
    ["a*/**/b", ["word a", "operator *", "word b"]],
    ["a+--b\nc", ["word a", "operator +", "word c"]],
    ["a\u00a0b", undefined],
    ["naïve", undefined],
    ['"naïve"', ["name naïve"]],
    ["a\0b", undefined],
    ["'\ud800'", undefined],
    ["a \\ b", undefined],
    ["a { b", undefined],
    [`"${"n".repeat(63)}"`, [`name ${"n".repeat(63)}`]],
    [`"${"n".repeat(64)}"`, undefined],
    [`"${"ï".repeat(32)}"`, undefined],
    ["n".repeat(64), undefined],
  ])("%j", (text, keys) => {
    expect(keysOf(text)).toEqual(keys);
  });

  test.each<[text: string, reason: RegExp | undefined]>([
    ["SELECT 1", undefined],
    ["  /* a */ select 1 ; -- b", undefined],
    ["(SELECT 1) UNION (SELECT 2);;", undefined],
    ["WITH a AS (SELECT 1) SELECT * FROM a", undefined],
    ["SELECT substring(a FROM 1 FOR 2) FROM t", undefined],
    ["SELECT 'INSERT INTO t; DELETE' AS a", undefined],
    ["SELECT 1; SELECT 2", /several/],
    ["SELECT 1;; DROP TABLE t", /several/],
    ["SELECT * INTO t2 FROM t", /INTO/],
    ["WITH a AS (UPDATE t SET b = 1 RETURNING b) SELECT * FROM a", /UPDATE/],
    ["WITH a AS (MERGE INTO t USING s ON true WHEN MATCHED THEN DO NOTHING) SELECT 1", /MERGE/],
    ["SELECT * FROM t FOR/* */UPDATE", /locks/],
    ["SELECT * FROM t FOR KEY SHARE", /locks/],
    ["SELECT * FROM t for no key update", /locks/],
    ["EXPLAIN ANALYZE SELECT 1", /no SELECT/],
    ["VALUES (1)", /no SELECT/],
    ["TABLE t", /no SELECT/],
    ["EXECUTE a", /no SELECT/],
    ["", /no SELECT/],
    ["SELECT * FROM t TABLESAMPLE mine (1)", /TABLESAMPLE/],
    [`SELECT '${"x".repeat(30_000)}'`, /long/],
    [`SELECT ${"1,".repeat(3_000)}1`, /long/],
  ])("%j", (text, reason) => {
    const found = recognizeSelect(text);
    if (reason === undefined) expect(found).toBeTypeOf("object");
    else expect(found).toMatch(reason);
  });

  test("no text takes long", () => {
    const worst = [
      "'".repeat(20_000),
      "'a".repeat(10_000),
      "/*".repeat(10_000),
      "E'\\".repeat(5_000),
      "$a$".repeat(6_666),
      '""'.repeat(9_999),
    ];
    for (const text of worst) {
      const start = performance.now();
      recognizeSelect(text);
      expect(performance.now() - start, text.slice(0, 6)).toBeLessThan(200);
    }
  });
});

/** Pieces that hide what they are, or look like what they are not. */
const ITEMS = [
  "1",
  "$$a$$",
  "'a'",
  "E'\\''",
  "'\\'",
  "count_up()",
  "public.count_up()",
  '"count_up"()',
  'U&"count\\005fup"()',
  "U&\"count!005fup\" UESCAPE '!' ()",
  "count_up/**/()",
  "count_up--\n()",
  "/* /* */ count_up() */ 2",
  "'count_up()'",
  "$q$ count_up() $q$",
  "E'\\'||count_up()||\\''",
  "'\\'||count_up()||'",
  "'a' 'b'",
  "'a'\n'b'",
  "E'a'\n'\\'",
  "(SELECT count_up())",
  "s.of_things",
  "(s).of_things",
  "id <#> 3",
  "nextval('counter')",
  "1::text",
  "null",
  "x'1F'",
  "n'\\'",
  "b'1'",
  "$a$ ' $b$ \" $a$",
  "-- count_up()\n3",
  "(TABLE things)",
  "coalesce(1, count_up())",
  "CASE WHEN id > 0 THEN count_up() END",
  '"a""b"',
] as const;
const ALIASES = ["", " AS a", ' AS "--"', ' AS "/*"', ' AS "it\'s"', " AS count_up"] as const;
const TAILS = [
  "",
  " FROM things s",
  " FROM things s WHERE id < 2",
  " FROM things s FOR UPDATE",
  " FROM things s /* FOR UPDATE */",
  " INTO TEMP made FROM things s",
  ";",
  "; SELECT count_up()",
  ";;",
  " -- ; SELECT count_up()",
  " -- \n; SELECT count_up()",
  "/* */; INSERT INTO things VALUES (99)",
  " FROM counting",
  " FROM (SELECT * FROM things) s",
  " FROM things s ORDER BY count_up()",
  " UNION ALL SELECT count_up()",
  " FROM count_up() s",
  " FROM things s LIMIT (SELECT count_up())",
  " FROM LATERAL count_up() s",
  " FROM things s, counting c",
] as const;
const HEADS = [
  "SELECT ",
  "SELECT /**/",
  "select--\n",
  "(SELECT ",
  "WITH w AS (SELECT count_up()) SELECT ",
  "WITH w AS (INSERT INTO things VALUES (98) RETURNING *) SELECT ",
  "WITH w AS (SELECT 1) SELECT ",
  "SELECT DISTINCT ",
  "INSERT INTO things SELECT 97 WHERE 1 IN (SELECT ",
] as const;
const EDITS = [
  "'",
  '"',
  "\\",
  "$",
  "$$",
  "$q$",
  "/*",
  "*/",
  "--",
  "\n",
  "E",
  "U&",
  "(",
  ")",
  ";",
  " ",
  "count_up()",
  "\u00a0",
  "é",
] as const;

/** Mostly harmless, so that a danger stands alone and what hides it is put to the test. */
const mostly = (harmless: readonly string[], all: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...harmless) }, { weight: 1, arbitrary: fc.constantFrom(...all) });
const HARMLESS = ITEMS.filter(
  (item) => !/count_up|counter|of_things|<#>/.test(item) || /^'count|^\$q|\*\/ 2$|\n3$/.test(item),
);

const text = fc
  .record({
    head: mostly(HEADS.slice(0, 3), HEADS),
    items: fc.array(fc.tuple(mostly(HARMLESS, ITEMS), fc.constantFrom(...ALIASES)), { minLength: 1, maxLength: 4 }),
    tail: mostly(TAILS.slice(0, 3), TAILS),
    edits: fc.array(
      fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(2), put: fc.constantFrom(...EDITS) }),
      { maxLength: 2 },
    ),
  })
  .map(({ head, items, tail, edits }) => {
    let made =
      head +
      items.map((pair) => pair.join("")).join(", ") +
      (head.startsWith("(") ? ")" : "") +
      (head.startsWith("INSERT") ? ")" : "") +
      tail;
    for (const { at, cut, put } of edits) {
      const from = Math.floor(at * made.length);
      made = made.slice(0, from) + put + made.slice(from + cut);
    }
    return made;
  });

describeWith(["postgres"], "nothing happens that was not asked for", () => {
  let server: PostgresServer;
  let client: Client;
  let own: Connection;

  beforeAll(async () => {
    server = await startPostgres({ settings: { log_statement: "all", log_line_prefix: "<%a> " } });
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query(`
      CREATE SEQUENCE counter;
      CREATE FUNCTION count_up() RETURNS int LANGUAGE sql AS 'SELECT nextval(''counter'')::int';
      CREATE TABLE things AS SELECT g AS id FROM generate_series(1, 3) g;
      ALTER TABLE things ALTER id SET DEFAULT count_up();
      CREATE FUNCTION inserted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM count_up(); RETURN NEW; END';
      CREATE TRIGGER inserted AFTER INSERT ON things EXECUTE FUNCTION inserted();
      CREATE FUNCTION of_things(things) RETURNS int LANGUAGE sql AS 'SELECT count_up()';
      CREATE FUNCTION differs(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT count_up() > 0';
      CREATE OPERATOR <#> (LEFTARG = int, RIGHTARG = int, FUNCTION = differs);
      CREATE VIEW counting AS SELECT count_up() AS n;`);
    const second = new pg.Client({ connectionString: server.url, application_name: "explain" });
    await second.connect();
    const ask = async (sent: string, values?: readonly unknown[]): Promise<readonly string[]> => {
      const types = { getTypeParser: () => String };
      const { rows } = await second.query({
        text: sent,
        values: values as unknown[],
        types,
        rowMode: "array",
        queryMode: "extended",
      } as never);
      return (rows as string[][]).map(([first = ""]) => first);
    };
    own = { ask, run: async (sent) => void (await second.query(sent)) };
    closeSecond = () => second.end();
  });
  let closeSecond = async (): Promise<void> => {};
  afterAll(async () => {
    await closeSecond();
    await client.end();
    await server.stop();
  });

  const counter = async (): Promise<string> => {
    const { rows } = await client.query<{ state: string }>(
      "SELECT last_value || ' ' || is_called AS state FROM counter",
    );
    return String(rows[0]?.state);
  };

  /** Runs it as an app would, and takes back all but the counter. */
  async function moves(made: string): Promise<boolean> {
    const before = await counter();
    await client.query("BEGIN");
    await client.query(made).catch(() => {});
    await client.query("ROLLBACK");
    return (await counter()) !== before;
  }

  test("whatever counts when it runs is not explained, and explaining counts nothing", async () => {
    const seen = { accepted: 0, explained: 0, moving: 0 };
    await fc.assert(
      fc.asyncProperty(text, async (made) => {
        const select = recognizeSelect(made);
        const isMoving = await moves(made);
        if (isMoving) seen.moving++;
        if (typeof select === "string") return;
        seen.accepted++;
        const before = await counter();
        const explanation = await explainSelect(own, made, select, undefined).catch(() => undefined);
        expect(await counter()).toBe(before);
        if (explanation === undefined) return;
        seen.explained++;
        expect(isMoving).toBe(false);
      }),
      { numRuns: 3_000 },
    );
    // A test that meets no danger, or refuses all, proves nothing.
    expect(seen.moving).toBeGreaterThan(150);
    expect(seen.explained).toBeGreaterThan(100);
    const log = await server.log();
    const planned = log.split("\n").filter((line) => /^<explain> LOG:\s+execute [^:]*: (EXPLAIN|PREPARE)/.test(line));
    expect(planned.length).toBeGreaterThanOrEqual(seen.explained);
    expect(planned.join("\n")).not.toMatch(/ANALYZE/i);
  }, 240_000);
});
