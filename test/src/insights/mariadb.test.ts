import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Finding } from "@telltale/core";
import { createInsights, type Insights } from "@telltale/insights";
import { httpInstrumentation } from "@telltale/instrumentation-http";
import { mysql2Instrumentation } from "@telltale/instrumentation-mysql2";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Pool } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { type MariadbServer, startMariadb } from "../servers/index.js";
import { runStarvation } from "./holder-works.js";
import { poolOf } from "./mariadb-queries.js";
import { score } from "./scoreboard.js";

const instrumentations = [mysql2Instrumentation(), httpInstrumentation()];
for (const instrumentation of instrumentations) instrumentation.enable();
const mysql = createRequire(import.meta.url)("mysql2/promise") as typeof import("mysql2/promise");

const THRESHOLD_MS = 100;
const WAIT_MS = 40;
const IDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

describeWith(["mariadb"], "findings on MariaDB", () => {
  let server: MariadbServer;
  let pool: Pool;
  let insights: Insights;
  let collected: Collection;
  beforeAll(async () => {
    server = await startMariadb({
      settings: { "slow-query-log": "ON", "long-query-time": THRESHOLD_MS / 1000, "log-output": "TABLE" },
    });
    insights = createInsights({ slowQueryMs: THRESHOLD_MS, pools: { waitMs: WAIT_MS }, eventLoop: { blockMs: 0 } });
    collected = collect([insights]);
    pool = mysql.createPool({ uri: server.url, connectionLimit: 3 });
    await Promise.all([1, 2, 3].map(() => pool.query("SELECT SLEEP(0.01)")));
    await pool.query("CREATE TABLE items (id int PRIMARY KEY, price int)");
    await pool.query("INSERT INTO items VALUES ?", [IDS.map((id) => [id, id * 10])]);
  });
  beforeEach(() => collected.reset());
  afterAll(async () => {
    await pool?.end();
    insights.stop();
    collected.stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
    await server.stop();
  });
  const found = (kind: Finding["kind"]): Finding[] => collected.findings.filter((finding) => finding.kind === kind);

  /** What a request does, and the findings of it. */
  async function serve(work: () => Promise<unknown>): Promise<void> {
    const listener: RequestListener = (_, response) => void work().finally(() => response.end());
    const http = createServer(listener).listen(0, "127.0.0.1");
    await once(http, "listening");
    await (await fetch(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`)).arrayBuffer();
    http.closeAllConnections();
    http.close();
    await waitFor(() => collected.operations.some(({ kind }) => kind === "http.server"), "the request to end");
  }

  const each = (run: (id: number) => Promise<unknown>) => async () => {
    for (const id of IDS) await run(id);
  };
  const SELECT = "SELECT price, SLEEP(0.003) FROM items WHERE id = ?";
  test.each<[string, () => Promise<unknown>, Finding["kind"] | undefined]>([
    ["queries in a loop", each((id) => pool.query(SELECT, [id])), "n_plus_one"],
    ["prepared ones in a loop", each((id) => pool.execute(SELECT, [id])), "n_plus_one"],
    ["with the values in the text", each((id) => pool.query(SELECT.replace("?", `${id}`))), "n_plus_one"],
    ["the same again and again", each(() => pool.execute(SELECT, [1])), "duplicate_query"],
    ["all at once", () => pool.query("SELECT price, SLEEP(0.003) FROM items WHERE id IN (?)", [IDS]), undefined],
    [
      "lists in a loop",
      each((id) => pool.query("SELECT price, SLEEP(0.003) FROM items WHERE id IN (?)", [[id, id + 1]])),
      undefined,
    ],
    ["writes in a loop", each((id) => pool.execute("UPDATE items SET price = ? WHERE id = ?", [id, id])), undefined],
  ])("%s", async (_, work, kind) => {
    await serve(work);
    const repeated = collected.findings.filter(({ kind }) => kind === "n_plus_one" || kind === "duplicate_query");
    expect(repeated.map(({ kind, count, querySummary }) => [kind, count, querySummary])).toEqual(
      kind === undefined ? [] : [[kind, IDS.length, "SELECT items"]],
    );
  });

  test("slow queries are those of the server's own log, waits for a connection left out", async () => {
    // Away from the threshold on both sides; with three connections for thirty callers most wait far longer than it.
    const queries = Array.from({ length: 30 }, (_, n) => {
      const seconds = n % 2 === 0 ? 0.01 + (n % 5) * 0.01 : 0.16 + (n % 5) * 0.02;
      return { name: `q${n}`, seconds, slow: seconds > THRESHOLD_MS / 1000 };
    });
    await Promise.all(
      queries.map(({ name, seconds }, n) =>
        n % 3 === 0
          ? pool.execute(`SELECT SLEEP(?) AS ${name}`, [seconds])
          : pool.query(`SELECT SLEEP(${seconds}) AS ${name}`),
      ),
    );
    const [rows] = await pool.query("SELECT CONVERT(sql_text USING utf8mb4) AS text FROM mysql.slow_log");
    const logged = (rows as { text: string }[]).flatMap(({ text }) => /AS (q\d+)/.exec(text)?.[1] ?? []);
    const slow = found("slow_query").map(({ queryText }) => /AS (q\d+)/.exec(queryText ?? "")?.[1]);
    expect(slow.sort()).toEqual(logged.sort());
    expect(slow.sort()).toEqual(
      queries
        .filter(({ slow }) => slow)
        .map(({ name }) => name)
        .sort(),
    );
  });

  test("who waits for a connection learns who holds it", async () => {
    const small = mysql.createPool({ uri: server.url, connectionLimit: 1 });
    await small.query("SELECT 1");
    const held = serve(async () => {
      const connection = await small.getConnection();
      await connection.query("SELECT SLEEP(0.2) AS held");
      connection.release();
    });
    await pause(50);
    await small.query("SELECT 2");
    await held;
    const [starved] = found("pool_starved");
    expect(starved).toMatchObject({ reason: "busy", system: "mariadb", queryText: "SELECT SLEEP(?) AS held" });
    expect(starved?.title).toContain(`127.0.0.1:${server.port}/${server.database}#2`);
    expect(starved?.waitMs).toBeGreaterThan(100);
    await small.end();
  });

  test("the holder is named right in random starvation runs", async () => {
    const { holders, named, none, wrong } = await runStarvation({
      open: (max) => poolOf(mysql.createPool({ uri: server.url, connectionLimit: max })),
      sleep: (seconds) => `SLEEP(${seconds})`,
      collected,
      waitMs: WAIT_MS,
      runs: 30,
      brief: 6,
    });
    const row = score("pool_starved (MariaDB)", holders, named, none);
    expect(row).toMatchObject({ found: 30, precision: 1, recall: 1 });
    expect(wrong).toEqual([]);
  });
});
