import { createRequire } from "node:module";
import { type AddressInfo, createServer, Socket } from "node:net";
import type { Finding } from "@telltale/core";
import { createInsights, type Insights } from "@telltale/insights";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Pool } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { type PostgresServer, startPostgres } from "../servers/index.js";
import { score } from "./scoreboard.js";

const instrumentation = pgInstrumentation({ explain: true });
instrumentation.enable();
const pg = createRequire(import.meta.url)("pg") as typeof import("pg");

const TABLES = `
CREATE SCHEMA sales;
CREATE TABLE orders AS SELECT g AS id, g % 5000 AS customer_id, 'state' || g % 3 AS state, now() - g * interval '1 minute' AS placed,
  'mail' || g || '@example.com' AS email, repeat('x', 60) AS note FROM generate_series(1, 100000) g;
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE TABLE sales."Order Lines" AS SELECT g AS id, g % 20000 AS "orderId", g % 7 AS kind FROM generate_series(1, 60000) g;
CREATE TABLE ranges AS SELECT g AS low, g + 10 AS high FROM generate_series(1, 8000) g;
CREATE TABLE alike AS SELECT g % 8 AS a, g % 8 AS b, g % 8 AS c, g % 8 AS d FROM generate_series(1, 9000) g;
CREATE TABLE small AS SELECT g AS id, g % 10 AS kind FROM generate_series(1, 500) g;
CREATE TABLE fresh (id int, kind int) WITH (autovacuum_enabled = off);
CREATE TABLE stale (id int, kind int) WITH (autovacuum_enabled = off);
INSERT INTO stale SELECT g, g % 10 FROM generate_series(1, 1000) g;
CREATE INDEX ON stale (id);
ANALYZE;
INSERT INTO fresh SELECT g, g % 10 FROM generate_series(1, 50000) g;
INSERT INTO stale SELECT g, g % 10 FROM generate_series(1, 50000) g;
CREATE SEQUENCE counter;
CREATE FUNCTION count_up() RETURNS int LANGUAGE sql AS 'SELECT nextval(''counter'')::int';
CREATE FUNCTION said_stable() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION of_small(small) RETURNS int LANGUAGE sql AS 'SELECT nextval(''counter'')::int';
CREATE FUNCTION differs(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT nextval(''counter'') > 0';
CREATE OPERATOR <#> (LEFTARG = int, RIGHTARG = int, FUNCTION = differs);
CREATE VIEW counting AS SELECT id, count_up() AS n FROM small;
CREATE VIEW over_counting AS SELECT id FROM counting WHERE n > 0;
CREATE VIEW locking AS SELECT id FROM small FOR UPDATE;
CREATE TABLE guarded AS SELECT g AS id FROM generate_series(1, 10) g;
CREATE POLICY counted ON guarded USING (count_up() > 0);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE far (id int) SERVER elsewhere;
CREATE TABLE mixed (id int) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE mixed_far PARTITION OF mixed FOR VALUES FROM (0) TO (10) SERVER elsewhere;
CREATE VIEW recent AS SELECT * FROM orders WHERE placed > now() - interval '1 day';
`;

/** What is asked, and what is wrong with it; the name of a case stands in its text. */
type Case = readonly [name: string, text: string, values: unknown[], kind: string | undefined, index?: string];

describeWith(["postgres"], "EXPLAIN", () => {
  let server: PostgresServer;
  let pool: Pool;
  let insights: Insights;
  let collected: Collection;

  beforeAll(async () => {
    server = await startPostgres({
      settings: { log_statement: "all", log_line_prefix: "<%a|%p> ", log_connections: "on", log_disconnections: "on" },
    });
    const setup = new pg.Client({ connectionString: server.url });
    await setup.connect();
    await setup.query(TABLES);
    await setup.end();
    // Everything is slow, and never because this process was busy.
    insights = createInsights({ slowQueryMs: 0.001, eventLoop: { blockMs: 0 } });
    collected = collect([insights]);
    pool = new pg.Pool({ connectionString: server.url, max: 3 });
  });
  afterAll(async () => {
    await pool.end();
    insights.stop();
    collected.stop();
    instrumentation.disable();
    await server.stop();
  });
  beforeEach(() => collected.reset());

  const findingOf = (name: string): Finding | undefined =>
    collected.findings.find(({ queryText }) => new RegExp(`\\b${name}\\b`).test(queryText ?? ""));

  /** Asks the app's way, and waits for the finding. */
  async function explained(name: string, text: string, values: unknown[] = []): Promise<Finding> {
    await pool.query(text, values).catch(() => {});
    await waitFor(() => findingOf(name) !== undefined, `a finding of ${name}`);
    const finding = findingOf(name);
    if (finding === undefined) throw new Error("it was there");
    return finding;
  }

  const CASES: readonly Case[] = [
    [
      "by_customer",
      "SELECT id AS by_customer FROM orders WHERE customer_id = $1",
      [7],
      "missing_index",
      "orders (customer_id)",
    ],
    [
      "by_literal",
      "SELECT id AS by_literal FROM orders WHERE customer_id = 7 AND state = 'state1'",
      [],
      "missing_index",
      "orders (customer_id, state)",
    ],
    [
      "by_newest",
      "SELECT id AS by_newest FROM orders o WHERE customer_id < 1000 ORDER BY placed DESC LIMIT 20",
      [],
      "large_sort",
      "orders (placed)",
    ],
    [
      "by_mail",
      "SELECT id AS by_mail FROM orders WHERE lower(email) = $1",
      ["mail5@example.com"],
      "missing_index",
      "orders (lower(email))",
    ],
    [
      "by_quoted",
      `SELECT id AS by_quoted FROM sales."Order Lines" WHERE "orderId" = $1 AND kind > 5`,
      [7],
      "missing_index",
      `sales."Order Lines" ("orderId", kind)`,
    ],
    [
      "by_view",
      "SELECT id AS by_view FROM recent WHERE customer_id = $1",
      [7],
      "missing_index",
      "orders (customer_id, placed)",
    ],
    [
      "by_list",
      "SELECT id AS by_list FROM orders WHERE customer_id = ANY ($1)",
      [[7, 8]],
      "missing_index",
      "orders (customer_id)",
    ],
    [
      "in_join",
      `SELECT o.id AS in_join FROM orders o JOIN sales."Order Lines" l ON l."orderId" = o.id WHERE o.email = $1`,
      ["x"],
      "missing_index",
      "orders (email)",
    ],
    ["newest", "SELECT id AS newest FROM orders ORDER BY placed DESC LIMIT 20", [], "large_sort", "orders (placed)"],
    [
      "state_newest",
      "SELECT id AS state_newest FROM orders WHERE state = $1 ORDER BY placed DESC LIMIT 20",
      ["state1"],
      "large_sort",
      "orders (state, placed)",
    ],
    [
      "all_sorted",
      "SELECT count(*) AS all_sorted FROM (SELECT note FROM orders ORDER BY note, id OFFSET 0) s",
      [],
      "large_sort",
    ],
    [
      "crossed",
      "SELECT count(*) AS crossed FROM ranges a JOIN ranges b ON a.low < b.high AND a.high > b.low WHERE a.low < 2000",
      [],
      "nested_loop",
    ],
    ["never_analysed", "SELECT id AS never_analysed FROM fresh WHERE id = $1", [5], "misestimate"],
    ["long_ago", "SELECT id AS long_ago FROM stale WHERE id = $1", [5], "misestimate"],
    ["correlated", "SELECT a AS correlated FROM alike WHERE a = 5 AND b = 5 AND c = 5 AND d = 5", [], "misestimate"],
    ["by_key", "SELECT note AS by_key FROM orders WHERE id = $1", [5], undefined],
    ["whole", "SELECT count(*) AS whole FROM orders", [], undefined],
    ["by_third", "SELECT count(*) AS by_third FROM orders WHERE state = $1", ["state1"], undefined],
    ["by_kind", "SELECT count(*) AS by_kind FROM small WHERE kind = $1", [3], undefined],
    ["small_sort", "SELECT id AS small_sort FROM small ORDER BY kind", [], undefined],
    ["small_loop", "SELECT count(*) AS small_loop FROM small a JOIN small b ON a.kind < b.kind", [], undefined],
    [
      "hashed",
      `SELECT count(*) AS hashed FROM orders o JOIN sales."Order Lines" l ON l."orderId" = o.id`,
      [],
      undefined,
    ],
    ["by_key_newest", "SELECT id AS by_key_newest FROM orders ORDER BY id DESC LIMIT 10", [], undefined],
    ["grouped", "SELECT state AS grouped, count(*) FROM orders GROUP BY state ORDER BY 2", [], undefined],
  ];

  test("says what is wrong with a plan, and nothing of a good one", async () => {
    const found = new Map<string, Finding>();
    for (const [name, text, values] of CASES) found.set(name, await explained(name, text, values));
    const kindsOf = (name: string): string[] => String(found.get(name)?.evidence?.["plan_advice"] ?? "").split(", ");
    const quiet = CASES.filter(([, , , kind]) => kind === undefined).map(([name]) => name);
    for (const kind of ["missing_index", "large_sort", "misestimate", "nested_loop"]) {
      const row = score(
        `slow_query: ${kind}`,
        CASES.filter(([, , , is]) => is === kind).map(([name]) => name),
        CASES.filter(([name]) => kindsOf(name).includes(kind)).map(([name]) => name),
        quiet,
      );
      expect.soft(row, kind).toMatchObject({ precision: 1, recall: 1 });
    }
    for (const [name, , , , index] of CASES) expect.soft(found.get(name)?.evidence?.["index_to_try"], name).toBe(index);
    for (const [name, finding] of found) {
      expect.soft(finding.evidence?.["not_explained"], name).toBeUndefined();
      expect.soft(finding.plan, name).toMatch(/cost=/);
      expect.soft(finding.plan, name).not.toMatch(/state1|example/);
    }
  });

  /** What must not be explained; the word that a reason has, and whether the server is asked at all. */
  const FORBIDDEN: readonly (readonly [name: string, text: string, reason: RegExp, asks: boolean])[] = [
    [
      "ctewrite",
      "WITH gone AS (DELETE FROM small WHERE id < 0 RETURNING id) SELECT id AS ctewrite FROM gone",
      /./,
      false,
    ],
    [
      "cteinsert",
      "WITH a AS (INSERT INTO small VALUES (-1, 0) RETURNING id) SELECT id AS cteinsert FROM a",
      /./,
      false,
    ],
    ["forupdate", "SELECT id AS forupdate FROM small WHERE id = 3 FOR UPDATE", /locks rows/, false],
    ["forshare", "SELECT id AS forshare FROM small WHERE id = 3 for/**/share", /locks rows/, false],
    ["nokey", "SELECT id AS nokey FROM (SELECT id FROM small WHERE id = 3 FOR NO KEY UPDATE) s", /locks rows/, false],
    ["selectinto", "SELECT id AS selectinto INTO TEMP made FROM small", /INTO/, false],
    ["two", "SELECT id AS two FROM small; SELECT 2", /several/, false],
    ["backslash", "SELECT id AS backslash FROM small WHERE 'a' = U&'\\0061'", /doubt/, false],
    ["volatile_known", "SELECT nextval('counter') AS volatile_known", /nextval\(\), which is volatile/, true],
    ["volatile_own", "SELECT count_up() AS volatile_own FROM small", /count_up/, true],
    ["volatile_quoted", 'SELECT public."count_up"() AS volatile_quoted', /count_up/, true],
    ["stable_own", "SELECT id AS stable_own FROM small WHERE id = said_stable()", /said_stable/, true],
    ["as_column", "SELECT s.of_small AS as_column FROM small s", /of_small/, true],
    ["by_operator", "SELECT id AS by_operator FROM small WHERE id <#> 3", /operator <#>/, true],
    ["in_view", "SELECT id AS in_view FROM counting", /count_up/, true],
    ["in_views", "SELECT id AS in_views FROM over_counting", /count_up/, true],
    ["locked_view", "SELECT id AS locked_view FROM locking", /locks rows/, true],
    ["in_policy", "SELECT id AS in_policy FROM guarded", /count_up/, true],
    ["foreign_table", "SELECT id AS foreign_table FROM far", /foreign/, true],
    ["foreign_part", "SELECT id AS foreign_part FROM mixed", /foreign/, true],
    ["stats", "SELECT count(*) AS stats FROM pg_stat_activity", /catalog/, true],
    ["slept", "SELECT pg_sleep(0.01) AS slept", /pg_sleep/, true],
    ["locked_advisory", "SELECT pg_advisory_xact_lock(1) AS locked_advisory", /advisory/, true],
  ];

  test("asks nothing of what may do more than read", async () => {
    await pool.query("SELECT setval('counter', 1)");
    for (const [name, text, reason] of FORBIDDEN) {
      const before = collected.findings.length;
      const finding = await explained(name, text);
      expect(collected.findings.length, name).toBeGreaterThan(before);
      expect.soft(finding.plan, name).toBeUndefined();
      // What is no read is no matter of plans; why goes without saying.
      const isRead = finding.evidence?.["not_explained"] !== undefined;
      expect.soft(isRead || name.startsWith("cte") || name === "selectinto", name).toBe(true);
      if (isRead) expect.soft(finding.evidence?.["not_explained"], name).toMatch(reason);
    }
    // Several of these do run the app's way, and so the counter moves; what matters is who asked for what.
    const ours = (await server.log()).split("\n").filter((line) => line.startsWith("<telltale explain|"));
    for (const [name, , , asks] of FORBIDDEN) {
      // The names that are asked for in the catalog are parameters, on lines that say so.
      const told = ours.filter((line) => line.includes(name) && !/DETAIL/.test(line));
      expect.soft(told, name).toEqual([]);
      const asked = ours.filter((line) => /DETAIL/.test(line) && new RegExp(`\\b${name}\\b`).test(line));
      expect.soft(asked.length > 0, name).toBe(asks);
    }
  });

  test("never waits for a lock, nor for a plan that takes long", async () => {
    const other = new pg.Client({ connectionString: server.url });
    await other.connect();
    const text = "SELECT id AS while_locked FROM small WHERE id = $1";
    try {
      // Slow because of the lock: the app's own call ends in an error, as its client says.
      await other.query("BEGIN");
      await other.query("LOCK TABLE small IN ACCESS EXCLUSIVE MODE");
      const client = await pool.connect();
      await client.query("SET lock_timeout = 50");
      await expect(client.query(text, [1])).rejects.toThrow(/lock timeout/);
      await client.query("RESET lock_timeout");
      client.release();
      const askedMs = performance.now();
      await waitFor(() => findingOf("while_locked") !== undefined, "a finding");
      expect(performance.now() - askedMs).toBeLessThan(2_000);
      expect(findingOf("while_locked")?.evidence).toMatchObject({ not_explained: "its tables are locked" });
    } finally {
      await other.query("ROLLBACK");
      await other.end();
    }

    // Joins of many tables, every order tried: minutes of planning.
    const joins = Array.from(
      { length: 14 },
      (_, n) => `JOIN small s${n} ON s${n}.kind = s.kind AND s${n}.id > s.id`,
    ).join(" ");
    const options = "-c geqo=off -c join_collapse_limit=100 -c statement_timeout=1500";
    const patient = new pg.Pool({ connectionString: server.url, options, max: 1 });
    await expect(patient.query(`SELECT s.id AS many_joins FROM small s ${joins}`)).rejects.toThrow(/statement timeout/);
    const askedMs = performance.now();
    await waitFor(() => findingOf("many_joins") !== undefined, "a finding");
    expect(performance.now() - askedMs).toBeLessThan(3_000);
    expect(findingOf("many_joins")?.evidence).toMatchObject({ not_explained: "its planning took too long" });
    await patient.end();
  });

  test("asks with one connection at a time, which is gone afterwards, is no call of the app and not of its pool", async () => {
    await waitForEnd();
    const before = (await server.log()).length;
    const names = Array.from({ length: 12 }, (_, n) => `parallel${n}`);
    await Promise.all(names.map((name) => pool.query(`SELECT id AS ${name} FROM small WHERE id = $1`, [3])));
    expect(pool.totalCount).toBeLessThanOrEqual(3);
    await waitFor(() => names.every((name) => findingOf(name)?.plan !== undefined), "all plans");
    const { operations, spans } = collected;
    expect(operations).toHaveLength(names.length);
    expect(spans).toHaveLength(names.length);
    await waitForEnd();
    // Never two at once, by what the server says of their coming and going.
    const opened = new Set<string>();
    let most = 0;
    let open = 0;
    for (const line of (await server.log()).slice(before).split("\n")) {
      const pid = /^<telltale explain\|(\d+)>/.exec(line)?.[1];
      if (pid === undefined) continue;
      if (!opened.has(pid)) open++;
      opened.add(pid);
      if (line.includes("disconnection")) open--;
      most = Math.max(most, open);
    }
    expect({ most, open, all: opened.size }).toEqual({ most: 1, open: 0, all: names.length });
  });

  /** Until the server has said goodbye to everybody of ours. */
  async function waitForEnd(): Promise<void> {
    for (const deadline = performance.now() + 5_000; performance.now() < deadline;) {
      const pids = (lines: string[]): Set<string | undefined> =>
        new Set(lines.map((line) => /\|(\d+)>/.exec(line)?.[1]));
      const ours = (await server.log()).split("\n").filter((line) => line.startsWith("<telltale explain|"));
      if (pids(ours).size === pids(ours.filter((line) => line.includes("disconnection"))).size) return;
    }
    throw new Error("a connection of ours is still open");
  }

  test("asks once an hour for a shape, whatever its values, and tells the later findings what it knows", async () => {
    const asked = async (): Promise<number> =>
      (await server.log()).match(/EXPLAIN \([^)]*\) SELECT id AS again /g)?.length ?? 0;
    for (let id = 1; id <= 5; id++) await pool.query(`SELECT id AS again FROM small WHERE id = ${id}`);
    await waitFor(() => collected.findings.filter(({ plan }) => plan !== undefined).length === 5, "five findings");
    expect(await asked()).toBe(1);
    expect(findingOf("again")?.plan).not.toMatch(/= [1-5]\b/);
  });

  test("opens its connection as the pool or client was opened, and not where a stream of the app's leads elsewhere", async () => {
    const client = new pg.Client({ connectionString: server.url, password: async () => server.password });
    await client.connect();
    await client.query("SELECT id AS single FROM small WHERE id = 1");
    await client.end();
    await waitFor(() => findingOf("single")?.plan !== undefined, "its plan");

    // Host and port say one thing, the stream goes another way.
    class Tunnel extends Socket {
      override connect(...args: unknown[]): this {
        return args.length === 2 ? super.connect(server.port, "127.0.0.1") : Reflect.apply(super.connect, this, args);
      }
    }
    const { user, password, database } = server;
    const tunnelled = {
      host: "nowhere.invalid",
      port: 1,
      user,
      password,
      database,
      stream: () => new Tunnel() as never,
    };
    const single = new pg.Client(tunnelled);
    await single.connect();
    await single.query("SELECT id AS tunnelled FROM small WHERE id = 1");
    await single.end();
    expect(findingOf("tunnelled")?.evidence).toMatchObject({
      not_explained: "how its connection was opened is not known",
    });
    // A pool has all of it.
    const through = new pg.Pool(tunnelled);
    await through.query("SELECT id AS pooled FROM small WHERE id = 1");
    await waitFor(() => findingOf("pooled")?.plan !== undefined, "its plan");
    await through.end();
  });

  test("a server without room for one more is no harm", async () => {
    const { rows } = await pool.query<{ room: number }>(
      "SELECT current_setting('max_connections')::int - count(*) AS room FROM pg_stat_activity WHERE backend_type = 'client backend'",
    );
    expect(Number(rows[0]?.room)).toBeGreaterThan(10);
    await pool.query("CREATE ROLE only_one LOGIN PASSWORD 'secret' CONNECTION LIMIT 1");
    await pool.query("GRANT SELECT ON small TO only_one");
    const full = new pg.Pool({ connectionString: server.url.replace(/\/\/[^@]*@/, "//only_one:secret@"), max: 1 });
    await full.query("SELECT id AS no_room FROM small WHERE id = 1");
    await waitFor(() => findingOf("no_room") !== undefined, "a finding");
    expect(findingOf("no_room")?.evidence).toMatchObject({ not_explained: "no connection for it (53300)" });
    await full.query("SELECT 1");
    await full.end();
  });

  test("a server that takes the connection and says nothing is left after 5 s", async () => {
    const closedMs: number[] = [];
    const mute = createServer((socket) => void socket.on("close", () => closedMs.push(performance.now())).resume());
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const { port } = mute.address() as AddressInfo;
    // The app's connection leads to the server, the next one to nowhere.
    let made = 0;
    class Road extends Socket {
      override connect(...args: unknown[]): this {
        const to = made++ === 0 ? server.port : port;
        return args.length === 2 ? super.connect(to, "127.0.0.1") : Reflect.apply(super.connect, this, args);
      }
    }
    const { user, password, database } = server;
    const forked = new pg.Pool({
      user,
      password,
      database,
      host: "127.0.0.1",
      max: 1,
      stream: () => new Road() as never,
    });
    const askedMs = performance.now();
    await forked.query("SELECT id AS unanswered FROM small WHERE id = 1");
    await waitFor(() => findingOf("unanswered") !== undefined && closedMs.length > 0, "a finding and the end");
    expect(findingOf("unanswered")?.plan).toBeUndefined();
    expect(Number(closedMs[0]) - askedMs).toBeGreaterThan(4_500);
    expect(Number(closedMs[0]) - askedMs).toBeLessThan(6_000);
    await forked.end();
    mute.close();
  });
});
