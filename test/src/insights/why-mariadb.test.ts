import { createRequire } from "node:module";
import type { Finding } from "@telltale/core";
import { createInsights, type Insights } from "@telltale/insights";
import { mysql2Instrumentation } from "@telltale/instrumentation-mysql2";
import { collect, type Collection } from "@telltale/testkit";
import type { Connection, Pool } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { type MariadbServer, startMariadb } from "../servers/index.js";
import { score } from "./scoreboard.js";
import {
  createComparison,
  runBusyProcess,
  runLocked,
  runPoolOfOne,
  runSlowServer,
  type SlowDatabase,
} from "./why-works.js";

const instrumentation = mysql2Instrumentation();
instrumentation.enable();
const mysql = createRequire(import.meta.url)("mysql2/promise") as typeof import("mysql2/promise");

describeWith(["mariadb"], "why it was slow on MariaDB", () => {
  let server: MariadbServer;
  let pool: Pool;
  let single: Pool;
  let other: Connection;
  let client: Connection;
  let insights: Insights;
  let collected: Collection;

  beforeAll(async () => {
    server = await startMariadb();
    insights = createInsights();
    collected = collect([insights]);
    const uri = server.url;
    pool = mysql.createPool({ uri, connectionLimit: 4 });
    single = mysql.createPool({ uri, connectionLimit: 1 });
    [other, client] = await Promise.all([mysql.createConnection({ uri }), mysql.createConnection({ uri })]);
    // Open, and known, before anything is timed.
    await Promise.all([1, 2, 3, 4].map(() => pool.query("SELECT SLEEP(0.01)")));
    await single.query("SELECT 1");
  });
  afterAll(async () => {
    await Promise.all([pool?.end(), single?.end(), other?.end(), client?.end()]);
    insights.stop();
    collected.stop();
    instrumentation.disable();
    await server?.stop();
  });
  beforeEach(() => collected.reset());

  const { compare, judge } = createComparison(() => collected.operations);
  afterEach(judge);
  const database = (): SlowDatabase => ({
    pool,
    single,
    other,
    client,
    sleep: (seconds) => `SLEEP(${seconds})`,
    lock: "SELECT GET_LOCK('seven', 5)",
    unlock: "SELECT RELEASE_LOCK('seven')",
    leftOut: 1,
    waitForLock: (name) => `SELECT GET_LOCK('seven', 5) AS ${name}, RELEASE_LOCK('seven')`,
  });
  const slow = (): Finding[] => collected.findings.filter(({ kind }) => kind === "slow_query");
  const labelsOf = (findings: readonly Finding[]): string[] =>
    findings.map(({ queryText }) => /AS (\w+)/.exec(queryText ?? "")?.[1] ?? "?");

  test("its server, a lock, and a pool of one", async () => {
    for (const [name, run] of [
      ["slow_query: server (MariaDB)", runSlowServer],
      ["slow_query: lock (MariaDB)", runLocked],
      ["slow_query: pool of 1 (MariaDB)", runPoolOfOne],
    ] as const) {
      collected.reset();
      const { expected, none } = await run(database(), compare);
      const row = score(name, expected, labelsOf(slow()), none);
      expect.soft(row).toMatchObject({ precision: 1, recall: 1 });
    }
  });

  test("a busy process", async () => {
    const { expected, none } = await runBusyProcess(database(), compare);
    const byLoop = collected.findings.filter(({ why }) => (why?.loopDelayMs ?? 0) > 100);
    const found = labelsOf(byLoop);
    const row = score("slow_query: busy process (MariaDB)", expected, found, none);
    expect(row).toMatchObject({ precision: 1, recall: 1 });
  });
});
