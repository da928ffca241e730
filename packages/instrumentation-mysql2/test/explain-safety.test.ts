import fc from "fast-check";
import { createRequire } from "node:module";
import { describeWith } from "@telltale/test/describe-with";
import { type MariadbServer, startMariadb } from "@telltale/test/servers";
import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recognizeSelect } from "../src/explain-safety.js";
import { explainSelect, type OwnSession } from "../src/explain-session.js";
import { readStrictly } from "../src/explain-tokens.js";

const mysql = createRequire(import.meta.url)("mysql2/promise") as typeof import("mysql2/promise");

const keysOf = (text: string): string[] | undefined => readStrictly(text)?.map(({ kind, key }) => `${kind} ${key}`);

describe("what is read, and what is left alone", () => {
  test.each<[text: string, keys: string[] | undefined]>([
    ["SELECT 1", ["word select", "number 1"]],
    ["a-- b\nc", ["word a", "word c"]],
    ["a-- b", ["word a"]],
    ["a--b\nc", undefined],
    ["a--", undefined],
    ["a # b\nc", ["word a", "word c"]],
    ["a # b\rc", undefined],
    ["a /* b */ c", ["word a", "word c"]],
    ["a/**/b", ["word a", "word b"]],
    ["/*! a */", undefined],
    ["/*!50000 a */", undefined],
    ["/*M! a */", undefined],
    ["/*m! a */", undefined],
    ["/*+ a */", undefined],
    ["/* a /* b */ c */", undefined],
    ["/* a", undefined],
    ["a */ b", undefined],
    ["'it''s'", ["string "]],
    ["'it\\'s'", ["string "]],
    ["'a\\\\'", ["string "]],
    ["'a\\'", undefined],
    ["'a' 'b'", ["string ", "string "]],
    ["'open", undefined],
    ["'open''", undefined],
    ['"a\'b"', ["string "]],
    ['"open', undefined],
    ["`a``b` `C`", ["name a`b", "name C"]],
    ["`open", undefined],
    ["x'1F' b'1' n'\\''", ["string ", "string ", "string "]],
    ["_utf8'a'", undefined],
    ["_gbk 'a'", undefined],
    ["select'a'", undefined],
    ["1e5 1.5 .5 1. 0x1F", ["number 1e5", "number 1.5", "number .5", "number 1.", "number 0x1F"]],
    ["1a", undefined],
    ["t.5", undefined],
    ["t.1a", undefined],
    ["t . a", ["word t", "sign .", "word a"]],
    ["a.b.c", ["word a", "sign .", "word b", "sign .", "word c"]],
    ["? + ?", ["param ?", "operator +", "param ?"]],
    ["?a", undefined],
    ["@a", undefined],
    ["a@b", undefined],
    ["a := 1", undefined],
    ["{fn a}", undefined],
    ["\\N", undefined],
    ["naïve", undefined],
    ["`naïve`", ["name naïve"]],
    ["a\u00a0b", undefined],
    ["a\0b", undefined],
    ["'\ud800'", undefined],
    [`\`${"n".repeat(64)}\``, [`name ${"n".repeat(64)}`]],
    ["n".repeat(65), undefined],
  ])("%j", (text, keys) => {
    expect(keysOf(text)).toEqual(keys);
  });

  test.each<[text: string, reason: RegExp | undefined]>([
    ["SELECT 1", undefined],
    ["  /* a */ select 1 ; -- b", undefined],
    ["(SELECT 1) UNION (SELECT 2);;", undefined],
    ["WITH a AS (SELECT 1) SELECT * FROM a", undefined],
    ["SELECT count(*), lower(a), IF (a, 1, 2) FROM t WHERE id IN (1) AND (a = 2)", undefined],
    ["SELECT 'INSERT INTO t; SLEEP(1)' AS a, \"GET_LOCK('a')\"", undefined],
    ["SELECT a FROM t WHERE a = ? AND b > ?", undefined],
    ["SELECT 1; SELECT 2", /several/],
    ["SELECT 1;; DROP TABLE t", /several/],
    ["SELECT 1 INTO @a", /doubt/],
    ["SELECT a INTO OUTFILE 'b' FROM t", /INTO/],
    ["SELECT * FROM t FOR/* */UPDATE", /UPDATE/],
    ["SELECT * FROM t FOR SHARE", /SHARE/],
    ["SELECT * FROM t LOCK IN SHARE MODE", /LOCK/],
    ["SELECT SLEEP(1)", /sleep/],
    ["SELECT count (1)", /count/],
    ["SELECT count/**/(1)", /count/],
    ["SELECT a.count(1)", /count/],
    ["SELECT a . count(1)", /count/],
    ["SELECT `count`(1)", /count/],
    ["SELECT mine(1)", /mine/],
    ["SELECT benchmark(1, 1)", /benchmark/],
    ["SELECT 1 FROM JSON_TABLE('[]', '$[*]' COLUMNS (a int PATH '$')) t", /json_table/],
    ["SELECT NEXT VALUE FOR s", /sequence/],
    ["SELECT PREVIOUS/**/VALUE FOR s", /sequence/],
    ["SELECT * FROM `mysql`.user", /MYSQL/],
    ["SELECT * FROM Information_Schema.tables", /INFORMATION_SCHEMA/],
    ["SET STATEMENT max_statement_time=1 FOR SELECT 1", /no SELECT/],
    ["EXPLAIN SELECT 1", /no SELECT/],
    ["ANALYZE SELECT 1", /no SELECT/],
    ["VALUES (1)", /no SELECT/],
    ["DO 1", /no SELECT/],
    ["", /no SELECT/],
    [`SELECT '${"x".repeat(30_000)}'`, /long/],
    [`SELECT ${"1,".repeat(3_000)}1`, /long/],
    [`SELECT ${Array.from({ length: 120 }, (_, n) => `c${n}`).join(", ")}`, /names/],
  ])("%j", (text, reason) => {
    const found = recognizeSelect(text);
    if (reason === undefined) expect(found).toBeTypeOf("object");
    else expect(found).toMatch(reason);
  });

  test("what may be a table is looked up as it is written", () => {
    const found = recognizeSelect("SELECT o.id, `x y` FROM shop.Orders o, `a`.`b` WHERE o.id = 1");
    expect(typeof found === "string" ? found : found.names.map(({ schema = "", name }) => `${schema}.${name}`)).toEqual(
      [".o", "o.id", ".x y", ".shop", "shop.Orders", ".a", "a.b"],
    );
  });

  test("no text takes long", () => {
    const worst = ["'", "'a", "/*", "/* ", "'\\", "``", '""', "-- ", "#", "((", "a.", "1.", "/*!"];
    for (const piece of worst) {
      const start = performance.now();
      recognizeSelect(piece.repeat(Math.floor(20_000 / piece.length)));
      recognizeSelect(`SELECT ${piece.repeat(Math.floor(19_000 / piece.length))}`);
      expect(performance.now() - start, piece).toBeLessThan(400);
    }
  });
});

/** Pieces that hide what they are, or look like what they are not. */
const ITEMS = [
  "1",
  "'a'",
  "'\\''",
  "'\\\\'",
  "''''",
  '"\'"',
  '"count_up()"',
  "'count_up()'",
  "count_up()",
  "Count_Up()",
  "count_up ()",
  "count_up/**/()",
  "count_up-- \n()",
  "count_up#\n()",
  "`count_up`()",
  "telltale.count_up()",
  "`telltale` . `count_up`()",
  "count(1)",
  "count (1)",
  "`count`(1)",
  "telltale.count(1)",
  "max(id)",
  "/*! count_up(), */ 2",
  "/*!99999 count_up(), */ 2",
  "/*M! count_up(), */ 2",
  "/* count_up() */ 2",
  "/* /*! count_up() */ 2",
  "-- count_up()\n3",
  "--count_up()\n3",
  "# count_up()\n3",
  "'\\'||count_up()||'",
  "'' 'a'",
  "'a' || count_up()",
  "(SELECT count_up())",
  "(SELECT max(n) FROM counting)",
  "NEXT VALUE FOR numbers",
  "NEXTVAL(numbers)",
  "{fn count_up()}",
  "x'1F'",
  "n'\\''",
  "_gbk'\\'",
  "_utf8mb4'a'",
  "@a := count_up()",
  "CASE WHEN 1 THEN count_up() END",
  "coalesce(NULL, count_up())",
  "if(1, 1, count_up())",
  "`a``b`",
  "1e5",
  "lower('A')",
] as const;
const ALIASES = ["", " AS a", " AS `--`", " AS `/*`", " AS 'it''s'", " AS count_up", " AS counting"] as const;
const TAILS = [
  "",
  " FROM things s",
  " FROM things s WHERE id < 2",
  " FROM things s WHERE id = (SELECT 1)",
  " FROM things s FOR UPDATE",
  " FROM things s /* FOR UPDATE */",
  ";",
  "; SELECT count_up()",
  ";;",
  " -- ; SELECT count_up()",
  " -- \n; SELECT count_up()",
  " # \n; SELECT count_up()",
  "/* */; INSERT INTO things VALUES (99)",
  " FROM counting",
  " FROM `counting`",
  " FROM things s,counting",
  " FROM telltale.counting c",
  " FROM (SELECT * FROM things) s",
  " FROM (SELECT count_up() AS b) s",
  " FROM things s ORDER BY count_up()",
  " UNION ALL SELECT count_up()",
  " FROM things s JOIN counting c ON c.n = s.id",
  " FROM things s LIMIT 1",
  " INTO @b",
] as const;
const HEADS = [
  "SELECT ",
  "SELECT /**/",
  "select-- \n",
  "(SELECT ",
  "WITH w AS (SELECT count_up()) SELECT ",
  "WITH w AS (SELECT 1) SELECT ",
  "SELECT DISTINCT ",
  "INSERT INTO things SELECT 97 FROM things WHERE 1 IN (SELECT ",
] as const;
const EDITS = [
  "'",
  '"',
  "`",
  "\\",
  "/*",
  "/*!",
  "*/",
  "--",
  "-- ",
  "#",
  "\n",
  "(",
  ")",
  ";",
  " ",
  ".",
  "@",
  "?",
  "count_up()",
  "\u00a0",
  "é",
] as const;

/** Mostly harmless, so that a danger stands alone and what hides it is put to the test. */
const mostly = (harmless: readonly string[], all: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...harmless) }, { weight: 1, arbitrary: fc.constantFrom(...all) });
const HARMLESS = ITEMS.filter((item) => !/count|numbers/i.test(item) || /^(?:['"]count|\/\* count|# )/.test(item));

const text = fc
  .record({
    head: mostly(HEADS.slice(0, 3), HEADS),
    items: fc.array(fc.tuple(mostly(HARMLESS, ITEMS), fc.constantFrom(...ALIASES)), { minLength: 1, maxLength: 4 }),
    tail: mostly(TAILS.slice(0, 4), TAILS),
    edits: fc.array(
      fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(2), put: fc.constantFrom(...EDITS) }),
      { maxLength: 2 },
    ),
  })
  .map(({ head, items, tail, edits }) => {
    const close = head.startsWith("(") || head.startsWith("INSERT") ? ")" : "";
    let made = head + items.map((pair) => pair.join("")).join(", ") + close + tail;
    for (const { at, cut, put } of edits) {
      const from = Math.floor(at * made.length);
      made = made.slice(0, from) + put + made.slice(from + cut);
    }
    return made;
  });

describeWith(["mariadb"], "nothing happens that was not asked for", () => {
  let server: MariadbServer;
  let app: Connection;
  let second: Connection;
  let own: OwnSession;
  let isAsked = false;

  beforeAll(async () => {
    server = await startMariadb();
    // Then a space before the bracket makes a stored function of a built-in one.
    const flags = ["-IGNORE_SPACE"];
    app = await mysql.createConnection({ uri: server.url, multipleStatements: true, flags });
    await app.query(`
      CREATE TABLE counter (n int) ENGINE = MyISAM;
      INSERT INTO counter VALUES (0);
      CREATE FUNCTION count_up() RETURNS int DETERMINISTIC BEGIN UPDATE counter SET n = n + 1; RETURN 1; END;
      CREATE FUNCTION \`count\`(a int) RETURNS int DETERMINISTIC BEGIN UPDATE counter SET n = n + 1; RETURN 1; END;
      CREATE TABLE things (id int);
      INSERT INTO things VALUES (1), (2), (3);
      CREATE TRIGGER inserted AFTER INSERT ON things FOR EACH ROW UPDATE counter SET n = n + 1;
      CREATE VIEW counting AS SELECT count_up() AS n;
      CREATE SEQUENCE numbers NOCACHE;`);
    second = await mysql.createConnection({ uri: server.url, flags });
    own = {
      system: "mariadb",
      version: "10.11.0-MariaDB",
      async ask(sent, values = []) {
        isAsked ||= sent.startsWith("EXPLAIN");
        const [rows] = await second.execute({ sql: sent, rowsAsArray: true }, values as never);
        return (rows as unknown as unknown[][]).map((row) =>
          row.map((value) => (value === null ? null : String(value))),
        );
      },
      run: async (sent) => void (await second.query(sent)),
    };
  });
  afterAll(async () => {
    await Promise.all([app?.end(), second?.end()]);
    await server?.stop();
  });

  const counted = async (): Promise<string> => {
    const [rows] = await app.query<RowDataPacket[]>(
      "SELECT concat_ws(' ', n, next_not_cached_value) AS state FROM counter, numbers",
    );
    return String(rows[0]?.["state"]);
  };

  /** Runs it as an app would; the counter keeps what it has counted. */
  async function moves(made: string): Promise<boolean> {
    const before = await counted();
    await app.query("START TRANSACTION");
    await app.query(made).catch(() => {});
    await app.query("ROLLBACK");
    return (await counted()) !== before;
  }

  test("the server is not asked about what counts when it runs, and asking counts nothing", async () => {
    const seen = { accepted: 0, asked: 0, explained: 0, moving: 0 };
    await fc.assert(
      fc.asyncProperty(text, async (made) => {
        const select = recognizeSelect(made);
        const isMoving = await moves(made);
        if (isMoving) seen.moving++;
        if (typeof select === "string") return;
        seen.accepted++;
        const before = await counted();
        isAsked = false;
        const call = { text: made, select, values: [], rows: undefined };
        const explanation = await explainSelect(own, call).catch(() => undefined);
        expect(await counted()).toBe(before);
        if (explanation !== undefined) seen.explained++;
        if (!isAsked) return;
        seen.asked++;
        expect(isMoving).toBe(false);
      }),
      { numRuns: 2_500 },
    );
    // A test that meets no danger, or refuses all, proves nothing.
    expect(seen.moving).toBeGreaterThan(100);
    expect(seen.explained).toBeGreaterThan(100);
    expect(seen.accepted).toBeGreaterThan(seen.asked);
  }, 60_000);
});
