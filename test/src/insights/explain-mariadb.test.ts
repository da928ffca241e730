import { createRequire } from "node:module";
import { type AddressInfo, connect, createServer } from "node:net";

import type { Finding } from "@telltale/core";
import { createInsights, type Insights } from "@telltale/insights";
import { mysql2Instrumentation } from "@telltale/instrumentation-mysql2";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Connection, Pool, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { type MariadbServer, startMariadb } from "../servers/index.js";
import { score } from "./scoreboard.js";

const instrumentation = mysql2Instrumentation({ explain: true });
instrumentation.enable();
const mysql = createRequire(import.meta.url)("mysql2/promise") as typeof import("mysql2/promise");

const TABLES = `
CREATE DATABASE sales;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, state varchar(10), placed datetime, email varchar(60), note varchar(100), KEY (placed, id));
INSERT INTO orders SELECT seq, seq % 5000, concat('state', seq % 3), '2026-01-01' - INTERVAL seq MINUTE, concat('mail', seq, '@example.com'),
  repeat('x', 60) FROM seq_1_to_50000;
CREATE TABLE sales.\`Order Lines\` (id int PRIMARY KEY, \`orderId\` int, kind int);
INSERT INTO sales.\`Order Lines\` SELECT seq, seq % 20000, seq % 7 FROM seq_1_to_30000;
CREATE TABLE ranges (low int, high int);
INSERT INTO ranges SELECT seq, seq + 10 FROM seq_1_to_4000;
CREATE TABLE visits (who int, at int);
INSERT INTO visits SELECT seq, seq FROM seq_1_to_4000;
CREATE TABLE small (id int PRIMARY KEY, kind int);
INSERT INTO small SELECT seq, seq % 10 FROM seq_1_to_500;
CREATE TABLE counter (n int) ENGINE = MyISAM;
INSERT INTO counter VALUES (0);
CREATE FUNCTION count_up() RETURNS int DETERMINISTIC BEGIN UPDATE counter SET n = n + 1; RETURN 1; END;
CREATE FUNCTION \`count\`() RETURNS int DETERMINISTIC BEGIN UPDATE counter SET n = n + 1; RETURN 1; END;
CREATE VIEW counting AS SELECT id, count_up() AS n FROM small;
CREATE VIEW over_small AS SELECT id FROM small;
CREATE SEQUENCE numbers;
CREATE TABLE listed (id int NOT NULL) ENGINE = CSV;
ANALYZE TABLE orders, sales.\`Order Lines\`, ranges, visits, small;
`;

/** What is asked, and what is wrong with it; the name of a case stands in its text. */
type Case = readonly [name: string, text: string, values: unknown[], kind: string | undefined, index?: string];

/** What the server was asked by one connection. */
interface Logged {
  readonly thread: number;
  readonly command: string;
  readonly text: string;
}

describeWith(["mariadb"], "EXPLAIN on MariaDB", () => {
  let server: MariadbServer;
  let pool: Pool;
  let watcher: Connection;
  let insights: Insights;
  let collected: Collection;

  beforeAll(async () => {
    server = await startMariadb({ settings: { "general-log": "ON", "log-output": "TABLE" } });
    const setup = await mysql.createConnection({ uri: server.url, multipleStatements: true });
    await setup.query(TABLES);
    await setup.end();
    watcher = await mysql.createConnection({ uri: server.url });
    // Everything is slow, and never because this process was busy.
    insights = createInsights({ slowQueryMs: 0.001, eventLoop: { blockMs: 0 } });
    collected = collect([insights]);
    pool = mysql.createPool({ uri: server.url, connectionLimit: 3, multipleStatements: true });
  });
  afterAll(async () => {
    await pool.end();
    await watcher.end();
    insights.stop();
    collected.stop();
    instrumentation.disable();
    await server.stop();
  });
  beforeEach(() => collected.reset());

  const findingOf = (name: string): Finding | undefined =>
    collected.findings.find(({ queryText }) => new RegExp(`\\b${name}\\b`).test(queryText ?? ""));

  /** Asks the app's way, and waits for the finding. */
  async function explained(name: string, run: () => Promise<unknown>): Promise<Finding> {
    await run().catch(() => {});
    await waitFor(() => findingOf(name) !== undefined, `a finding of ${name}`);
    const finding = findingOf(name);
    if (finding === undefined) throw new Error("it was there");
    return finding;
  }

  /** What our own connections have asked, by the server's general log: they begin with a limit that nobody else sets. */
  async function ours(): Promise<Logged[]> {
    const [rows] = await watcher.query<RowDataPacket[]>(
      "SELECT thread_id AS thread, command_type AS command, CONVERT(argument USING utf8mb4) AS text FROM mysql.general_log",
    );
    const logged = rows as unknown as Logged[];
    const threads = new Set(
      logged
        .filter(({ text }) => text.startsWith("SET SESSION max_statement_time = 1, lock_wait"))
        .map(({ thread }) => thread),
    );
    return logged.filter(({ thread }) => threads.has(thread));
  }

  const CASES: readonly Case[] = [
    [
      "by_customer",
      "SELECT id AS by_customer FROM orders WHERE customer_id = ?",
      [7],
      "missing_index",
      "orders (customer_id)",
    ],
    [
      "by_literal",
      "SELECT id AS by_literal FROM orders WHERE customer_id = 8 AND state = 'state1'",
      [],
      "missing_index",
      "orders (customer_id, state)",
    ],
    [
      "by_range",
      "SELECT o.id AS by_range FROM orders AS o WHERE o.state = ? AND customer_id < 20 ORDER BY o.note",
      ["state1"],
      "missing_index",
      "orders (state, customer_id)",
    ],
    [
      "by_sorted",
      "SELECT o.id AS by_sorted FROM orders o WHERE customer_id IN (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16) ORDER BY o.note DESC",
      [],
      "missing_index",
      "orders (customer_id, note)",
    ],
    [
      "by_limit",
      "SELECT id AS by_limit FROM orders WHERE customer_id = ? LIMIT 200",
      [9],
      "missing_index",
      "orders (customer_id)",
    ],
    [
      "by_mail",
      "SELECT id AS by_mail FROM orders WHERE email = ?",
      ["mail5@example.com"],
      "missing_index",
      "orders (email)",
    ],
    [
      "by_quoted",
      "SELECT id AS by_quoted FROM sales.`Order Lines` WHERE `orderId` = ? AND kind >= 0",
      [7],
      "missing_index",
      "sales.`Order Lines` (orderId, kind)",
    ],
    [
      "in_join",
      "SELECT s.id AS in_join FROM orders o JOIN small s ON s.id = o.customer_id WHERE o.email = ?",
      ["mail7@example.com"],
      "missing_index",
      "orders (email)",
    ],
    ["newest", "SELECT id AS newest FROM orders ORDER BY email DESC LIMIT 20", [], "large_sort", "orders (email)"],
    ["all_sorted", "SELECT * , 1 AS all_sorted FROM orders ORDER BY note, id", [], "large_sort"],
    [
      "crossed",
      "SELECT count(*) AS crossed FROM ranges a JOIN visits b ON a.low < b.at AND a.high > b.at",
      [],
      "nested_loop",
    ],
    [
      "joined",
      "SELECT count(*) AS joined FROM ranges a JOIN visits b ON b.who = a.low",
      [],
      "nested_loop",
      "visits (who)",
    ],
    ["by_key", "SELECT note AS by_key FROM orders WHERE id = ?", [5], undefined],
    ["whole", "SELECT count(*) AS whole FROM orders", [], undefined],
    ["by_third", "SELECT count(*) AS by_third FROM orders WHERE state = ?", ["state1"], undefined],
    ["many_thirds", "SELECT id AS many_thirds FROM orders WHERE state = ?", ["state1"], undefined],
    ["first_thirds", "SELECT id AS first_thirds FROM orders WHERE state = ? LIMIT 10", ["state1"], undefined],
    ["either", "SELECT id AS either FROM orders WHERE customer_id = ? OR email = ?", [7, "x"], undefined],
    ["computed", "SELECT id AS computed FROM orders WHERE customer_id + 1 = ?", [7], undefined],
    ["converted", "SELECT id AS converted FROM orders WHERE email = ?", [7], undefined],
    ["by_kind", "SELECT id AS by_kind FROM small WHERE kind = ?", [3], undefined],
    ["small_sort", "SELECT id AS small_sort FROM small ORDER BY kind", [], undefined],
    ["small_join", "SELECT count(*) AS small_join FROM small a JOIN small b ON a.kind < b.kind", [], undefined],
    ["by_index_newest", "SELECT id AS by_index_newest FROM orders ORDER BY placed DESC LIMIT 10", [], undefined],
    ["grouped", "SELECT state AS grouped, count(*) AS n FROM orders GROUP BY state ORDER BY n", [], undefined],
    [
      "looked_up",
      "SELECT l.id AS looked_up FROM sales.`Order Lines` l JOIN orders o ON o.id = l.orderId",
      [],
      undefined,
    ],
  ];

  test("says what is wrong with a plan, and nothing of a good one", async () => {
    const found = new Map<string, Finding>();
    for (const [n, [name, text, values]] of CASES.entries()) {
      const run = () => (n % 2 === 0 ? pool.query(text, values) : pool.execute(text, values as never));
      found.set(name, await explained(name, run));
    }
    const kindsOf = (name: string): string[] => String(found.get(name)?.evidence?.["plan_advice"] ?? "").split(", ");
    const quiet = CASES.filter(([, , , kind]) => kind === undefined).map(([name]) => name);
    for (const [kind, row] of [
      ["missing_index", "slow_query: missing_index (MariaDB)"],
      ["large_sort", "slow_query: large_sort (MariaDB)"],
      ["nested_loop", "slow_query: nested_loop (MariaDB)"],
    ] as const) {
      const scored = score(
        row,
        CASES.filter(([, , , is]) => is === kind).map(([name]) => name),
        CASES.filter(([name]) => kindsOf(name).includes(kind)).map(([name]) => name),
        quiet,
      );
      expect.soft(scored, kind).toMatchObject({ precision: 1, recall: 1 });
    }
    for (const [name, , , , index] of CASES) expect.soft(found.get(name)?.evidence?.["index_to_try"], name).toBe(index);
    for (const [name, finding] of found) {
      expect.soft(finding.evidence?.["not_explained"], name).toBeUndefined();
      expect.soft(finding.plan, name).toMatch(/rows=/);
      expect.soft(finding.plan, name).not.toMatch(/state1|example|= \d/);
    }
  });

  /** What must not be explained, the word that a reason has, and whether the server is asked about it at all. */
  const FORBIDDEN: readonly (readonly [name: string, text: string, reason: RegExp, asks: boolean])[] = [
    ["forupdate", "SELECT id AS forupdate FROM small WHERE id = 3 FOR UPDATE", /UPDATE/, false],
    ["inshare", "SELECT id AS inshare FROM small WHERE id = 3 lock/**/in share mode", /LOCK/, false],
    ["intovar", "SELECT id AS intovar INTO @a FROM small WHERE id = 3", /./, false],
    ["intofile", "SELECT id AS intofile INTO OUTFILE '/nowhere/it/is' FROM small", /./, false],
    ["setvar", "SELECT @a := id AS setvar FROM small", /doubt/, false],
    ["getvar", "SELECT id AS getvar FROM small WHERE id = @@max_connections", /doubt/, false],
    ["two", "SELECT id AS two FROM small; SELECT 2", /several/, false],
    ["versioned", "SELECT id AS versioned /*! , SLEEP(0) */ FROM small", /doubt/, false],
    ["mversioned", "SELECT id AS mversioned /*M!100100 , SLEEP(0) */ FROM small", /doubt/, false],
    ["hinted", "SELECT /*+ MAX_EXECUTION_TIME(9) */ id AS hinted FROM small", /doubt/, false],
    ["slept", "SELECT SLEEP(0.01) AS slept", /sleep/, false],
    ["slept_derived", "SELECT * FROM (SELECT SLEEP(0.01) AS slept_derived) d", /sleep/, false],
    ["quoted_sleep", "SELECT `SLEEP`(0.01) AS quoted_sleep", /SLEEP/, false],
    ["spun", "SELECT id AS spun FROM small WHERE id = BENCHMARK(9, md5('a'))", /benchmark/, false],
    ["locked_name", "SELECT GET_LOCK('a', 0) AS locked_name", /get_lock/, false],
    ["read_file", "SELECT LOAD_FILE('/nowhere') AS read_file", /load_file/, false],
    ["stored", "SELECT count_up() AS stored FROM small", /count_up/, false],
    ["stored_qualified", "SELECT telltale.count_up() AS stored_qualified", /count_up/, false],
    ["stored_as_known", "SELECT telltale.count() AS stored_as_known", /count/, false],
    ["stored_with_space", "SELECT `count` () AS stored_with_space", /count/, false],
    ["in_const", "SELECT id AS in_const FROM small WHERE id = (SELECT count_up())", /count_up/, false],
    ["sequence", "SELECT NEXT VALUE FOR numbers AS sequence", /sequence/, false],
    ["nextval", "SELECT NEXTVAL(numbers) AS nextval", /nextval/, false],
    [
      "recursed",
      "WITH RECURSIVE r AS (SELECT 1 AS recursed UNION SELECT 1 FROM r) SELECT * FROM r",
      /RECURSIVE/,
      false,
    ],
    ["analysed", "SELECT id AS analysed FROM small PROCEDURE ANALYSE()", /PROCEDURE/, false],
    ["odbc", "SELECT {fn SLEEP(0.01)} AS odbc", /doubt/, false],
    ["introduced", "SELECT _gbk'a' AS introduced", /doubt/, false],
    ["matched", "SELECT id AS matched FROM small WHERE 'a' REGEXP '(a+)+b'", /REGEXP/, false],
    [
      "schemata",
      "SELECT TABLE_NAME AS schemata FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'sales'",
      /./,
      false,
    ],
    ["users", "SELECT count(*) AS users FROM mysql.user", /MYSQL/, false],
    ["in_view", "SELECT id AS in_view FROM counting WHERE id = 1", /counting is no table/, true],
    ["plain_view", "SELECT id AS plain_view FROM over_small", /over_small is no table/, true],
    ["quoted_view", "SELECT id AS quoted_view FROM `telltale`.`counting`", /counting is no table/, true],
    ["view_by_comma", "SELECT s.id AS view_by_comma FROM small s,counting c WHERE c.id = s.id", /counting/, true],
    ["from_sequence", "SELECT maximum_value AS from_sequence FROM numbers", /sequence/, true],
    ["engine", "SELECT id AS engine FROM listed", /CSV/, true],
    ["generated", "SELECT seq AS generated FROM seq_1_to_5", /./, true],
  ];

  test("asks nothing of what may do more than read", async () => {
    const before = await ours();
    for (const [name, text, reason] of FORBIDDEN) {
      const finding = await explained(name, () => pool.query(text));
      expect.soft(finding.plan, name).toBeUndefined();
      // What is no read is no matter of plans; why goes without saying.
      const given = finding.evidence?.["not_explained"];
      expect.soft(given !== undefined || name.startsWith("into"), name).toBe(true);
      if (given !== undefined) expect.soft(given, name).toMatch(reason);
    }
    // Several of these do run the app's way; what matters is who asked for what.
    const asked = (await ours()).slice(before.length);
    for (const [name] of FORBIDDEN.filter(([, , , asks]) => !asks)) {
      expect
        .soft(
          asked.filter(({ text }) => new RegExp(`\\b${name}\\b`).test(text)),
          name,
        )
        .toEqual([]);
    }
    const explains = asked.filter(({ text }) => /^\s*EXPLAIN/i.test(text)).map(({ text }) => text);
    expect(explains).toEqual([]);
  });

  test("values are put where they were, and cannot be read as anything else", async () => {
    const evil = "x' OR SLEEP(1) -- \\\" \\' /*! ? */ `";
    const cases: [name: string, run: () => Promise<unknown>][] = [
      ["evil_query", () => pool.query("SELECT id AS evil_query FROM small WHERE ? = 'x' AND id = ?", [evil, 3])],
      ["evil_execute", () => pool.execute("SELECT id AS evil_execute FROM small WHERE ? = 'x' AND id = ?", [evil, 3])],
      ["evil_sent", () => pool.query(`SELECT id AS evil_sent FROM small WHERE ${mysql.escape(evil)} = 'x' AND id = 3`)],
      ["mark_in_text", () => pool.query("SELECT id AS mark_in_text, '?' FROM small WHERE id = ?", [evil, 3])],
      ["mark_sent", () => pool.query(`SELECT id AS mark_sent, 'a?b' FROM small WHERE kind IN (?)`, [[1, 2]])],
      ["dated", () => pool.execute("SELECT id AS dated FROM orders WHERE placed = ?", [new Date(0)])],
      ["bytes", () => pool.query("SELECT id AS bytes FROM orders WHERE email = ?", [Buffer.from("'a")])],
      ["by_object", () => pool.query({ sql: "SELECT id AS by_object FROM small WHERE id = ?", values: [3] })],
    ];
    for (const [name, run] of cases) {
      const finding = await explained(name, run);
      expect.soft(finding.evidence?.["not_explained"], name).toBeUndefined();
      expect.soft(finding.plan, name).toMatch(/rows=|Impossible/);
      expect.soft(JSON.stringify(finding), name).not.toMatch(/SLEEP/);
    }
    const [statement] = [await pool.getConnection()];
    const prepared = await statement.prepare("SELECT id AS by_statement FROM small WHERE id = ?");
    const finding = await explained("by_statement", () => prepared.execute([3]));
    expect(finding.plan).toMatch(/small/);
    await prepared.close();
    statement.release();
    // What would run code of the app's again.
    let written = 0;
    const own = { toSqlString: () => `${++written}` };
    await explained("by_own", () => pool.query("SELECT id AS by_own FROM small WHERE id = ?", [own as never]));
    expect(written).toBe(1);
  });

  test("is asked where quotes are read as we read them, and nowhere else", async () => {
    for (const [mode, name] of [
      ["ANSI_QUOTES", "ansi"],
      ["NO_BACKSLASH_ESCAPES", "escapeless"],
      ["ORACLE", "oracle"],
    ]) {
      const [[row]] = await watcher.query<RowDataPacket[]>("SELECT @@GLOBAL.sql_mode AS mode");
      await watcher.query("SET GLOBAL sql_mode = ?", [mode]);
      const other = await mysql.createConnection({ uri: server.url });
      const finding = await explained(`${name}`, () => other.query(`SELECT id AS ${name} FROM small WHERE id = 3`));
      await other.end();
      await watcher.query("SET GLOBAL sql_mode = ?", [row?.["mode"]]);
      expect(finding.evidence).toMatchObject({ not_explained: "its sql_mode reads quotes in a way of its own" });
    }
    const other = await mysql.createConnection({ uri: server.url, charset: "GBK_CHINESE_CI" });
    const finding = await explained("chinese", () => other.query("SELECT id AS chinese FROM small WHERE id = 3"));
    await other.end();
    expect(finding.evidence).toMatchObject({ not_explained: "its connection is not in UTF-8" });
  });

  test("never waits for a lock, nor for a plan that takes long", async () => {
    const other = await mysql.createConnection({ uri: server.url });
    try {
      await other.query("LOCK TABLES small WRITE");
      // Slow because of the lock: the app's own call ends in an error, as its session says.
      const app = await mysql.createConnection({ uri: server.url });
      await app.query("SET lock_wait_timeout = 0");
      const startMs = performance.now();
      const locked = "SELECT id AS while_locked FROM small WHERE id = 3";
      const finding = await explained("while_locked", () => app.query(locked));
      await app.end();
      expect(performance.now() - startMs).toBeLessThan(2_000);
      expect(finding.evidence).toMatchObject({ not_explained: "its tables are locked" });
    } finally {
      await other.end();
    }

    // Joins of many tables, every order tried: minutes of planning.
    const joins = Array.from(
      { length: 20 },
      (_, n) => `JOIN small s${n} ON s${n}.kind = s.kind AND s${n}.id > s.id`,
    ).join(" ");
    await watcher.query("SET GLOBAL optimizer_search_depth = 62, GLOBAL optimizer_prune_level = 0");
    const patient = await mysql.createConnection({ uri: server.url });
    await patient.query("SET max_statement_time = 0.3");
    const finding = explained("many_joins", () => patient.query(`SELECT s.id AS many_joins FROM small s ${joins}`));
    const startMs = performance.now();
    expect((await finding).evidence).toMatchObject({ not_explained: "its planning took too long" });
    expect(performance.now() - startMs).toBeLessThan(3_000);
    await watcher.query("SET GLOBAL optimizer_search_depth = DEFAULT, GLOBAL optimizer_prune_level = DEFAULT");
    await patient.end();
  });

  test("asks with one connection at a time, which is gone afterwards, is no call of the app and not of its pool", async () => {
    const before = (await ours()).length;
    collected.reset();
    const names = Array.from({ length: 12 }, (_, n) => `parallel${n}`);
    await Promise.all(names.map((name) => pool.query(`SELECT id AS ${name} FROM small WHERE id = ?`, [3])));
    await waitFor(() => names.every((name) => findingOf(name)?.plan !== undefined), "all plans");
    const { operations, spans } = collected;
    expect(operations).toHaveLength(names.length);
    expect(spans).toHaveLength(names.length);
    // Never two at once, by what the server says of their coming and going; and every word that it hears.
    let asked: Logged[] = [];
    for (const deadline = performance.now() + 5_000; performance.now() < deadline;) {
      asked = (await ours()).slice(before);
      if (asked.filter(({ command }) => command === "Quit").length === names.length) break;
    }
    let [most, open] = [0, 0];
    for (const [n, { command }] of asked.entries()) {
      if (command === "Connect") open++;
      if (command === "Quit") open--;
      // The server's threads write the log: that of the connection that is gone may be behind that of the next.
      if (command !== "Connect" || asked[n + 1]?.command !== "Quit") most = Math.max(most, open);
    }
    expect({ most, open }).toEqual({ most: 1, open: 0 });
    const words = new Set(asked.map(({ text }) => /^\w*/.exec(text)?.[0]));
    expect([...words].sort()).toEqual(["", "EXPLAIN", "ROLLBACK", "SELECT", "SET", "START", "telltale"]);
  });

  test("asks once an hour for a shape, whatever its values, in the database that the call was for", async () => {
    const connection = await mysql.createConnection({ uri: server.url });
    await connection.query("USE sales");
    for (let id = 1; id <= 5; id++) await connection.query("SELECT id AS again FROM `Order Lines` WHERE id = ?", [id]);
    await waitFor(() => collected.findings.filter(({ plan }) => plan !== undefined).length === 5, "five findings");
    await connection.end();
    const asked = (await ours()).filter(({ text }) => /^EXPLAIN .*\bagain\b/.test(text));
    expect(asked.filter(({ command }) => command === "Execute")).toHaveLength(1);
    expect(findingOf("again")?.plan).not.toMatch(/= [1-5]\b/);
  });

  test("a server without room for one more is no harm, and one that says nothing is left after 5 s", async () => {
    await watcher.query("CREATE USER only_one IDENTIFIED BY 'secret' WITH MAX_USER_CONNECTIONS 1");
    await watcher.query("GRANT SELECT ON telltale.small TO only_one");
    const full = await mysql.createConnection({ uri: server.url.replace(/\/\/[^@]*@/, "//only_one:secret@") });
    const finding = await explained("no_room", () => full.query("SELECT id AS no_room FROM small WHERE id = 1"));
    expect(finding.evidence?.["not_explained"]).toMatch(/^no connection for it \(ER_\w+\)$/);
    await full.query("SELECT 1");
    await full.end();

    const closedMs: number[] = [];
    const mute = createServer((socket) => void socket.on("close", () => closedMs.push(performance.now())).resume());
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const { port } = mute.address() as AddressInfo;
    // The app's connection leads to the server, the next one to nowhere.
    let made = 0;
    const stream = () => connect(made++ === 0 ? server.port : port, "127.0.0.1");
    const forked = await mysql.createConnection({ uri: server.url, stream });
    const askedMs = performance.now();
    await forked.query("SELECT id AS unanswered FROM small WHERE id = 1");
    await waitFor(() => findingOf("unanswered") !== undefined && closedMs.length > 0, "a finding and the end");
    expect(findingOf("unanswered")?.plan).toBeUndefined();
    expect(Number(closedMs[0]) - askedMs).toBeGreaterThan(4_500);
    expect(Number(closedMs[0]) - askedMs).toBeLessThan(6_000);
    await forked.end();
    mute.close();

    // A stream that is open already leads to one place, once.
    const socket = connect(server.port, "127.0.0.1");
    const single = await mysql.createConnection({ uri: server.url, stream: socket });
    const used = await explained("used_up", () => single.query("SELECT id AS used_up FROM small WHERE id = 1"));
    expect(used.evidence).toMatchObject({ not_explained: "how its connection was opened is not known" });
    await single.end();
  });
});
