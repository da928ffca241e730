import {
  addListener,
  contextOf,
  type DatabaseTemplate,
  endOperation,
  type Finding,
  type HttpServerOperation,
  type Loan,
  type PoolReporter,
  registerPool,
  startDatabaseOperation,
} from "@telltale/core";
import { beginRequest } from "@telltale/test/requests";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createInsights, type InsightsOptions } from "../src/index.js";

// What any driver may tell, on a clock of the test's own.

const undo: (() => void)[] = [];
let findings: Finding[] = [];
let now = 1_000_000;
beforeEach(() => {
  findings = [];
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => {
  for (const step of undo.splice(0)) step();
  vi.restoreAllMocks();
});

function listen(options: InsightsOptions = {}): void {
  undo.push(
    // The clock of these tests is not that of the event loop.
    addListener(createInsights({ eventLoop: { blockMs: 0 }, ...options })),
    addListener({ name: "test", findingMade: (finding) => void findings.push(finding) }),
  );
}

function open(limit: number, name = "mysql/shop"): PoolReporter {
  const reporter = registerPool({ name, system: "mysql", read: () => ({ used: limit, idle: 0, pending: 1, limit }) });
  undo.push(reporter.close);
  return reporter;
}

function take(pool: PoolReporter, served: HttpServerOperation): Loan {
  const loan = pool.addConnection();
  pool.taken(loan, contextOf(served), now);
  return loan;
}

function query(loan: Loan, served: HttpServerOperation, changes: Partial<DatabaseTemplate> = {}): () => void {
  const template: DatabaseTemplate = {
    system: "mysql",
    namespace: "shop",
    operationName: "SELECT",
    collection: "items",
    querySummary: "SELECT items",
    queryText: "SELECT * FROM items WHERE id = ?",
    fingerprint: "00000000000000aa",
    effect: "read",
    serverAddress: "db",
    serverPort: 3306,
    poolName: undefined,
    slots: [],
    ...changes,
  };
  const operation = startDatabaseOperation(template, undefined, undefined, contextOf(served));
  loan.runs(operation);
  return () => endOperation(operation);
}

/** One waits `ms` for what others hold, and then has it. */
function wait(pool: PoolReporter, route: string, ms: number): void {
  const waiter = pool.waits(contextOf(beginRequest(route)), now);
  now += ms;
  if (waiter !== undefined) pool.waited(waiter);
}

test("a holder, what it does, and who waits", () => {
  listen();
  const pool = open(2);
  const report = beginRequest("/report");
  for (let n = 0; n < 2; n++) query(take(pool, report), report);
  pool.waits(contextOf(beginRequest("/cart")), now);
  wait(pool, "/orders", 120);
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({
    kind: "pool_starved",
    title:
      "GET /report holds 2 of 2 connections of pool mysql/shop (120 ms, running SELECT items for 120 ms); GET /orders waits 120 ms for one",
    endpoint: "GET /report",
    route: "/report",
    system: "mysql",
    querySummary: "SELECT items",
    durationMs: 120,
    waitMs: 120,
    againstMs: 100,
    reason: "busy",
    count: 1,
    evidence: { victim: "GET /orders", waiters: "GET /cart", waiting: 1, held: 2, heldShare: 1, doing: "running" },
  });
});

test("a cause is told once a minute, with how often it came meanwhile; another one at once", () => {
  listen();
  const pool = open(1);
  const report = beginRequest("/report");
  const loan = take(pool, report);
  for (let n = 0; n < 5; n++) wait(pool, "/orders", 150);
  expect(findings.map(({ reason, count }) => [reason, count])).toEqual([["idle", 1]]);
  pool.returned(loan);
  const other = beginRequest("/other");
  pool.taken(loan, contextOf(other), now);
  wait(pool, "/orders", 150);
  expect(findings.map(({ endpoint }) => endpoint)).toEqual(["GET /report", "GET /other"]);
  pool.returned(loan);
  now += 60_000;
  pool.taken(loan, contextOf(report), now);
  wait(pool, "/orders", 150);
  expect(findings.at(-1)).toMatchObject({ endpoint: "GET /report", count: 5 });
});

test("many time-outs at once are one finding, and all are counted", () => {
  listen();
  const pool = open(1);
  take(pool, beginRequest("/report"));
  const timeOut = (times: number): void => {
    const waiters = Array.from({ length: times }, () => pool.waits(contextOf(beginRequest("/orders")), now));
    now += 1_000;
    for (const waiter of waiters) pool.timedOut(waiter);
  };
  timeOut(500);
  now += 60_000;
  timeOut(1);
  expect(findings.map(({ kind, endpoint, count }) => [kind, endpoint, count])).toEqual([
    ["pool_timeout", "GET /report", 1],
    ["pool_timeout", "GET /report", 500],
  ]);
});

test("who holds a connection on purpose is to blame only where nobody else is", () => {
  listen();
  const pool = open(2);
  const news = beginRequest("/news");
  const listener = take(pool, news);
  query(listener, news, { session: "kept" })();
  now += 50_000;
  const report = beginRequest("/report");
  const loan = take(pool, report);
  wait(pool, "/orders", 200);
  expect(findings).toMatchObject([{ endpoint: "GET /report", evidence: { holders: "GET /news, GET /report" } }]);
  pool.returned(loan);
  wait(pool, "/orders", 200);
  expect(findings[1]?.endpoint).toBe("GET /news");
});

test("many short loans are nobody's fault but of their number", () => {
  listen();
  const pool = open(1);
  const loan = pool.addConnection();
  const waiter = pool.waits(contextOf(beginRequest("/orders")), now);
  for (let n = 0; n < 200; n++) {
    const served = beginRequest("/cart");
    pool.taken(loan, contextOf(served), now);
    now += 1;
    pool.returned(loan);
  }
  const served = beginRequest("/cart");
  pool.taken(loan, contextOf(served), now);
  if (waiter !== undefined) pool.waited(waiter);
  expect(findings).toMatchObject([{ reason: "load", endpoint: "GET /cart" }]);
});

test.each([
  ["busy", 10, /raise the pool's maximum if the server/],
  ["idle", 2, /for most of that time no query runs on it: take it just before/],
])("many short loans that are %s: the cure", (_, queryMs, advice) => {
  listen();
  const pool = open(1);
  const loan = pool.addConnection();
  const waiter = pool.waits(contextOf(beginRequest("/orders")), now);
  let served = beginRequest("/cart");
  for (let n = 0; n < 20; n++) {
    served = beginRequest("/cart");
    pool.taken(loan, contextOf(served), now);
    const end = query(loan, served);
    now += queryMs;
    end();
    now += 10 - queryMs;
    if (n < 19) pool.returned(loan);
  }
  if (waiter !== undefined) pool.waited(waiter);
  expect(findings).toMatchObject([{ reason: "load", advice: expect.stringMatching(advice) }]);
});

test.each<[string, InsightsOptions, number]>([
  ["below the default", {}, 99],
  ["below one's own", { pools: { waitMs: 500 } }, 499],
  ["turned off", { pools: { waitMs: 0 } }, 5_000],
])("a wait %s is none", (_, options, ms) => {
  listen(options);
  const pool = open(1);
  take(pool, beginRequest("/report"));
  wait(pool, "/orders", ms);
  expect(findings).toEqual([]);
});

test.each<[string, InsightsOptions["pools"], string[]]>([
  ["all", {}, ["GET /events", "GET /leak", "GET /leak"]],
  ["but a route", { ignoreRoutes: ["/events"] }, ["GET /leak", "GET /leak"]],
  ["but a pool", { ignorePools: ["workers"] }, ["GET /events", "GET /leak"]],
  ["none", { idleMs: 0, afterRequestMs: 0 }, []],
])("leaks: %s", async (_, pools, expected) => {
  // The clock stands: what is looked at is long past, and the first look comes soon.
  listen({ pools: { idleMs: 40, afterRequestMs: 40, ...pools } });
  const main = open(5);
  const workers = open(5, "workers");
  take(main, beginRequest("/events"));
  const leaks = [beginRequest("/leak"), beginRequest("/leak")];
  for (const [n, leak] of leaks.entries()) {
    take(n === 0 ? main : workers, leak);
    endOperation(leak);
  }
  query(take(main, beginRequest("/busy")), beginRequest("/busy"));
  now += 1_000;
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(findings.map(({ endpoint }) => endpoint).sort()).toEqual(expected);
});

test("each connection that leaks is counted, those of one route in the same minute, too", async () => {
  listen({ pools: { afterRequestMs: 40 } });
  const pool = open(5);
  for (let n = 0; n < 3; n++) {
    const leak = beginRequest("/leak");
    take(pool, leak);
    endOperation(leak);
  }
  now += 1_000;
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(findings.map(({ endpoint, count }) => [endpoint, count])).toEqual(
    Array.from({ length: 3 }, () => ["GET /leak", 1]),
  );
});

test("a pool that tells of no loans", () => {
  listen();
  open(1).timedOut();
  expect(findings).toMatchObject([
    {
      kind: "pool_timeout",
      endpoint: undefined,
      reason: undefined,
      title: "A caller of pool mysql/shop had no connection in time",
    },
  ]);
});
