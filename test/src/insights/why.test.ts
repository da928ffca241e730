import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Finding } from "@telltale/core";
import { createInsights, type Insights } from "@telltale/insights";
import { expressInstrumentation, httpInstrumentation } from "@telltale/instrumentation-http";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Client, Pool } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { type PostgresServer, startPostgres } from "../servers/index.js";
import { score } from "./scoreboard.js";
import {
  block,
  createComparison,
  runBusyProcess,
  runLocked,
  runPoolOfOne,
  runSlowServer,
  type SlowDatabase,
} from "./why-works.js";

const instrumentations = [pgInstrumentation(), httpInstrumentation(), expressInstrumentation()];
for (const instrumentation of instrumentations) instrumentation.enable();
const require = createRequire(import.meta.url);
const pg = require("pg") as typeof import("pg");
const express = require("express") as () => Express;

interface Express {
  (request: unknown, response: unknown): void;
  get(path: string, handler: (request: unknown, response: { end(text: string): void }) => unknown): void;
}

/** The line of this file that has a mark. */
function lineOf(mark: string): number {
  const lines = readFileSync(import.meta.filename, "utf8").split("\n");
  return lines.findIndex((line) => line.endsWith(`// ${mark}`)) + 1;
}

describeWith(["postgres"], "why it was slow", () => {
  let server: PostgresServer;
  let pool: Pool;
  let single: Pool;
  let other: Client;
  let client: Client;
  let insights: Insights;
  let collected: Collection;

  beforeAll(async () => {
    server = await startPostgres();
    insights = createInsights();
    collected = collect([insights]);
    pool = new pg.Pool({ connectionString: server.url, max: 4 });
    single = new pg.Pool({ connectionString: server.url, max: 1 });
    other = new pg.Client({ connectionString: server.url });
    client = new pg.Client({ connectionString: server.url });
    await Promise.all([other.connect(), client.connect()]);
    // Open, and known, before anything is timed.
    await Promise.all([1, 2, 3, 4].map(() => pool.query("SELECT pg_sleep(0.01)")));
    await single.query("SELECT 1");
  });
  afterAll(async () => {
    await Promise.all([pool.end(), single.end(), other.end(), client.end()]);
    insights.stop();
    collected.stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
    await server.stop();
  });
  beforeEach(() => collected.reset());

  const named = (name: string) => (finding: { queryText?: string | undefined }) =>
    new RegExp(`\\b${name}\\b`).test(finding.queryText ?? "");
  const ofSlow = () => collected.findings.filter(({ kind }) => kind === "slow_query");
  const labelsOf = (findings: readonly Finding[]) =>
    findings.map(({ queryText }) => /AS (\w+)/.exec(queryText ?? "")?.[1] ?? "?");

  const { compare, judge } = createComparison(() => collected.operations);
  afterEach(judge);
  const database = (): SlowDatabase => ({
    pool,
    single,
    other,
    client,
    sleep: (seconds) => `pg_sleep(${seconds})`,
    lock: "SELECT pg_advisory_lock(7)",
    unlock: "SELECT pg_advisory_unlock(7)",
    waitForLock: (name) => `SELECT pg_advisory_xact_lock(7) AS ${name}`,
  });

  test("a slow server is the rest", async () => {
    const { expected } = await runSlowServer(database(), compare);
    expect(score("slow_query: server", expected, labelsOf(ofSlow()))).toMatchObject({ precision: 1, recall: 1 });
    for (const { why, title } of ofSlow()) {
      expect(why?.isEstimate).toBe((why?.loopDelayMs ?? 0) > 0);
      expect(title.includes("about")).toBe((why?.loopDelayMs ?? 0) >= 1);
    }
  });

  test("a lock that another holds is the rest", async () => {
    const { expected } = await runLocked(database(), compare);
    expect(score("slow_query: lock", expected, labelsOf(ofSlow()))).toMatchObject({ precision: 1, recall: 1 });
  });

  test("a pool of one is waiting for a connection, and no slow query by itself", async () => {
    const { expected, none } = await runPoolOfOne(database(), compare);
    const row = score("slow_query: pool of 1", expected, labelsOf(ofSlow()), none);
    expect(row).toMatchObject({ precision: 1, recall: 1 });
    const { title } = ofSlow().find(named("slow200")) ?? {};
    expect(title).toMatch(/took 3\d\d ms: 2\d\d ms waiting for a connection, .*1\d\d ms server and network/);
  });

  test("a busy process is event-loop delay, an estimate", async () => {
    const { expected, none } = await runBusyProcess(database(), compare);
    const byLoop = collected.findings.filter(({ why }) => (why?.loopDelayMs ?? 0) > 100);
    const row = score("slow_query: busy process", expected, labelsOf(byLoop), none);
    expect(row).toMatchObject({ precision: 1, recall: 1 });
    expect(byLoop.every(({ why, title }) => why?.isEstimate === true && title.includes("about"))).toBe(true);
  });

  test("what is slower than its own past is found below the threshold, what always was so is not", async () => {
    /** Calls of a shape until it is known, and then one that takes longer; how long each. */
    const cases: [label: string, usualMs: number, thenMs: number, calls: number, isFound: boolean][] = [
      ...Array.from({ length: 10 }, (_, n) => [`worse${n}`, 0, 40 + n * 5, 100, true] as const),
      ["below_floor", 0, 10, 100, false],
      ["warming_up", 0, 60, 98, false],
      ["as_ever", 0, 0, 100, false],
      ["always_slow", 12, 25, 100, false],
    ] as [string, number, number, number, boolean][];
    const text = (label: string) => `SELECT pg_sleep($1) AS ${label}`;
    for (const [label, usualMs, , calls] of cases) {
      for (let n = 0; n < calls; n++) await other.query(text(label), [usualMs / 1000]);
    }
    const learning = labelsOf(ofSlow());
    for (const [label, , thenMs] of cases) await other.query(text(label), [thenMs / 1000]);
    const expected = cases.filter(([, , , , isFound]) => isFound).map(([label]) => label);
    const none = cases.filter(([, , , , isFound]) => !isFound).map(([label]) => label);
    const found = ofSlow().filter(({ reason }) => reason === "baseline");
    expect(learning).toEqual([]);
    expect(score("slow_query: baseline", expected, labelsOf(found), none)).toMatchObject({ precision: 1, recall: 1 });
    const { title, againstMs, evidence } = found.find(named("worse5")) ?? {};
    expect(title).toMatch(/^SELECT took \d+\.\d ms \(usually \d+\.\d ms at most, limit \d+\.\d ms\)$/);
    expect(againstMs).toBeGreaterThanOrEqual(20);
    expect(evidence).toEqual({ threshold_ms: 100, baseline_ms: againstMs, usual_ms: expect.any(Number) });
    // A busy process is not the query's own slowness.
    const late = other.query(text("worse0"), [0]);
    collected.reset();
    block(60);
    await late;
    expect(ofSlow()).toEqual([]);
  });

  test("the shapes that cost most are those of most time together, slow or not", async () => {
    for (let n = 0; n < 60; n++) await pool.query("SELECT pg_sleep(0.02) AS often");
    await pool.query("SELECT pg_sleep(0.2) AS once");
    const costs = insights.topQueries(100);
    const often = costs.find(named("often"));
    expect(often).toMatchObject({ calls: 60, querySummary: "SELECT" });
    expect(often?.totalMs).toBeGreaterThan(1_200);
    expect(costs.findIndex(named("often"))).toBeLessThan(costs.findIndex(named("once")));
    expect(costs.reduce((sum, { share }) => sum + share, 0)).toBeLessThanOrEqual(1 + 1e-9);
  });

  test("the second finding says where the call was made", async () => {
    const cases: [string, (text: string) => Promise<unknown>][] = [
      ["direct", (text) => pool.query(text)], // site direct
      [
        "awaited",
        async (text) => {
          await sleep(1);
          return await pool.query(text); // site awaited
        },
      ],
      [
        "client",
        async (text) => {
          const client = await pool.connect();
          try {
            return await client.query(text); // site client
          } finally {
            client.release();
          }
        },
      ],
      ["waiting", async (text) => await Promise.all([single.query("SELECT pg_sleep(0.05)"), single.query(text)])], // site waiting
      ["single", (text) => other.query({ text })], // site single
    ];
    const found: string[] = [];
    for (const [label, run] of cases) {
      for (let n = 0; n < 2; n++) await run(`SELECT pg_sleep(0.11) AS site_${label}`);
      const [first, second] = ofSlow().filter(named(`site_${label}`));
      expect(first?.callSite, label).toBeUndefined();
      expect(second?.callSite, label).toMatchObject({ file: import.meta.filename, line: lineOf(`site ${label}`) });
      if (second?.callSite !== undefined) found.push(label);
    }
    score(
      "call site",
      cases.map(([label]) => label),
      found,
    );
    await waitFor(
      () => collected.spans.some(({ attributes }) => attributes["code.line.number"] === lineOf("site single")),
      "a span with its site",
    );
  });

  test("a block of the event loop names the route that ran", async () => {
    const app = express();
    /** Each gives how long it was really busy. */
    const blocking: [string, (ms: number) => number | Promise<number>][] = [
      ["at_once", block],
      ["after_query", (ms) => pool.query("SELECT 1").then(() => block(ms))],
      [
        "between",
        async (ms) => {
          await pool.query("SELECT 1");
          const busyMs = block(ms);
          await pool.query("SELECT 1");
          return busyMs;
        },
      ],
      ["two_queries", (ms) => Promise.all([1, 2].map((n) => pool.query(`SELECT ${n}`))).then(() => block(ms))],
    ];
    const expected: string[] = [];
    const busyMs = new Map<string, number>();
    for (const [name, run] of blocking) {
      for (const ms of [70, 120, 200]) {
        const route = `/${name}/${ms}`;
        expected.push(`GET ${route}`);
        app.get(route, async (_, response) => {
          busyMs.set(route, await run(ms));
          response.end("ok");
        });
      }
    }
    const none = ["GET /short", "GET /slow", "GET /timer"];
    app.get("/short", (_, response) => (block(15), response.end("ok")));
    app.get("/slow", async (_, response) => (await pool.query("SELECT pg_sleep(0.2)"), response.end("ok")));
    app.get("/timer", async (_, response) => (await sleep(80), response.end("ok")));
    const listening = createServer(app).listen(0, "127.0.0.1");
    await once(listening, "listening");
    const { port } = listening.address() as AddressInfo;
    const ask = async (endpoint: string): Promise<void> => {
      const answer = await fetch(`http://127.0.0.1:${port}${endpoint.slice(4)}`);
      await answer.text();
    };
    // The first requests load and compile what all need, which takes its time.
    for (const endpoint of [...none, ...none]) await ask(endpoint);
    collected.reset();
    await Promise.all(none.map(ask));
    await waitFor(
      () => collected.operations.filter(({ kind }) => kind === "http.server").length === 3,
      "the first requests",
    );
    // Beside one that is slow all the while, and does nothing.
    for (const endpoint of expected) {
      const slow = ask("GET /slow");
      await sleep(20);
      await ask(endpoint);
      await slow;
      await sleep(20);
    }
    listening.closeAllConnections();
    listening.close();
    const blocks = collected.findings.filter(({ kind }) => kind === "event_loop_blocked");
    const found = blocks.map(({ endpoint = "none" }) => endpoint);
    const { recall, falseAlarms } = score("event_loop_blocked", expected, found, none);
    // A machine that takes the processor away stretches what is short, and what follows on a block hides where that began.
    expect(recall).toBeGreaterThan(0.9);
    expect(falseAlarms.length).toBeLessThanOrEqual(1);
    // Never less than it was; more where other work followed at once.
    const offs = blocks
      .map(({ durationMs, route = "" }) => durationMs / (busyMs.get(route) ?? 0) - 1)
      .sort((a, b) => a - b);
    expect(offs[0]).toBeGreaterThan(-0.05);
    expect(offs[Math.floor(offs.length / 2)]).toBeLessThan(0.2);
  });
});
