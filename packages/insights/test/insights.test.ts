import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addListener,
  type DatabaseOperation,
  type DatabaseTemplate,
  endOperation,
  type Finding,
  type HttpServerOperation,
  selfCounters,
  startDatabaseOperation,
} from "@telltale/core";
import { beginRequest } from "@telltale/test/requests";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createInsights, type InsightsOptions } from "../src/index.js";

let findings: Finding[] = [];
let stops: (() => void)[] = [];
let options: InsightsOptions = {};

beforeEach(() => {
  findings = [];
  // The clock of these tests is not that of the event loop.
  options = { eventLoop: { blockMs: 0 } };
});
afterEach(() => {
  for (const stop of stops) stop();
  stops = [];
});

function listen(): void {
  stops.push(
    addListener(createInsights(options)),
    addListener({ name: "test", findingMade: (finding) => void findings.push(finding) }),
  );
}

function template(changes: Partial<DatabaseTemplate> = {}): DatabaseTemplate {
  return {
    system: "postgresql",
    namespace: "shop",
    operationName: "SELECT",
    collection: "items",
    querySummary: "SELECT items",
    queryText: "SELECT * FROM items WHERE id = $1",
    fingerprint: "00000000000000aa",
    effect: "read",
    serverAddress: "db",
    serverPort: 5432,
    poolName: undefined,
    slots: [],
    ...changes,
  };
}

/** It begins with a whole millisecond, so that sums of whole ones are exact: 5 × 4 ms are 20, and not 19.999…. */
function request(route: string | undefined = "/orders"): HttpServerOperation {
  const { now } = performance;
  const startMs = Math.ceil(now.call(performance));
  performance.now = () => startMs;
  try {
    return beginRequest(route, "/orders");
  } finally {
    performance.now = now;
  }
}

/** Ends an operation at a time of the test's choosing: `fromMs` and `ms` on the request's clock. */
function run(
  served: HttpServerOperation | undefined,
  of: DatabaseTemplate,
  parameters: unknown[],
  fromMs: number,
  ms: number,
  waitMs = 0,
) {
  const base = served?.startMs ?? performance.now();
  const operation = startDatabaseOperation(
    of,
    undefined,
    parameters,
    served?.context ?? ROOT_CONTEXT,
    base + fromMs,
    waitMs,
  );
  return at(base + fromMs + ms, () => endOperation(operation), operation);
}

function end(served: HttpServerOperation, ms: number): void {
  at(served.startMs + ms, () => endOperation(served), served);
}

function at<T extends DatabaseOperation | HttpServerOperation>(ms: number, act: () => void, operation: T): T {
  const { now } = performance;
  performance.now = () => ms;
  try {
    act();
  } finally {
    performance.now = now;
  }
  return operation;
}

describe("slow queries", () => {
  test.each<[string, InsightsOptions, Partial<DatabaseTemplate>, number, number, boolean]>([
    ["below the default", {}, {}, 99, 0, false],
    ["above the default", {}, {}, 100.5, 0, true],
    ["the wait for a connection does not count", {}, {}, 150, 60, false],
    ["a threshold of one's own", { slowQueryMs: 20 }, {}, 25, 0, true],
    ["0 turns it off", { slowQueryMs: 0 }, {}, 60_000, 0, false],
    ["by system", { slowQueries: { bySystem: { redis: 10 } } }, { system: "redis" }, 11, 0, true],
    [
      "by summary, over by system",
      { slowQueries: { bySystem: { postgresql: 10 }, bySummary: { "SELECT items": 500 } } },
      {},
      400,
      0,
      false,
    ],
    ["a write", {}, { effect: "write" }, 100.5, 0, true],
    ["control statements never", {}, { effect: "control" }, 5_000, 0, false],
  ])("%s", (_, chosen, changes, ms, waitMs, found) => {
    options = { ...options, ...chosen };
    listen();
    run(undefined, template(changes), [], 0, ms, waitMs);
    expect(findings.map(({ kind }) => kind)).toEqual(found ? ["slow_query"] : []);
  });

  test("says what, where, how long, against what, and notes it on the operation", () => {
    listen();
    const served = request("/search");
    const operation = run(served, template(), [], 0, 250, 50);
    expect(findings[0]).toMatchObject({
      title:
        "SELECT items took 250 ms in GET /search: 50.0 ms waiting for a connection, 200 ms server and network (threshold 100 ms)",
      endpoint: "GET /search",
      durationMs: expect.closeTo(200, 6),
      waitMs: 50,
      againstMs: 100,
      reason: "threshold",
      traceId: undefined,
      sampled: false,
    });
    expect(operation.attributes).toEqual({
      "telltale.finding.kind": "slow_query",
      "telltale.slow.reason": "threshold",
      "telltale.slow.threshold_ms": 100,
      "telltale.why.wait_ms": 50,
      "telltale.why.loop_delay_ms": 0,
      "telltale.why.rest_ms": expect.closeTo(200, 6),
      "telltale.why.is_estimate": false,
    });
  });
});

describe("the cause and the cure of a slow query", () => {
  test.each<[string, Partial<DatabaseTemplate>, number, RegExp, RegExp]>([
    ["the server", {}, 50, /reads or sorts more/, /^Look at its plan/],
    ["mostly the wait", {}, 150, /^Most of it was waiting/, /^Look for pool_starved: .+ too: look at its plan/],
    ["Redis sorts nothing", { system: "redis" }, 0, /the command has much to do/, /^Redis answers one command/],
    [
      "nor has Memcached plans",
      { system: "memcached" },
      0,
      /the command has much to do/,
      /^Memcached has it in memory/,
    ],
    ["plans of PostgreSQL", { system: "postgresql" }, 0, /reads or sorts more/, /with EXPLAIN \(ANALYZE, BUFFERS\);/],
    ["plans of whoever it is", { system: "other_sql" }, 0, /reads or sorts more/, /with EXPLAIN;/],
  ])("%s", (_, changes, waitMs, cause, advice) => {
    listen();
    run(undefined, template(changes), [], 0, 260, waitMs);
    expect(findings).toMatchObject([{ cause: expect.stringMatching(cause), advice: expect.stringMatching(advice) }]);
  });
});

describe("N+1 and duplicates", () => {
  /** `calls`: parameter, start, duration. */
  function kinds(
    calls: [unknown, number, number][],
    requestMs: number,
    changes: Partial<DatabaseTemplate> = {},
    waitMs = 0,
  ): string[] {
    listen();
    const served = request();
    const shape = template(changes);
    for (const [parameter, from, ms] of calls) run(served, shape, [parameter], from, ms, waitMs);
    end(served, requestMs);
    return findings.map(({ kind }) => kind);
  }
  const loop = (times: number, ms: number, parameter: (n: number) => unknown = (n) => n): [unknown, number, number][] =>
    Array.from({ length: times }, (_, n) => [parameter(n), n * ms, ms]);

  test.each<[string, [unknown, number, number][], number, string[], Partial<DatabaseTemplate>?, number?]>([
    ["five in a loop, 20 ms together", loop(5, 4), 1_000, ["n_plus_one"]],
    ["four are none", loop(4, 10), 100, []],
    ["too short, and too small a share", loop(5, 3), 1_000, []],
    ["short, but a fifth of the request", loop(5, 1), 25, ["n_plus_one"]],
    ["equal parameters are duplicates", loop(5, 4, () => 7), 1_000, ["duplicate_query"]],
    ["equal texts too", loop(6, 4, () => "same"), 1_000, ["duplicate_query"]],
    ["five different among many equal", loop(20, 4, (n) => n % 5), 1_000, ["n_plus_one"]],
    ["neither five different nor five equal", loop(8, 10, (n) => n % 4), 1_000, []],
    [
      "in parallel, one after the other's time: counted once",
      Array.from({ length: 10 }, (_, n) => [n, 0, 15]),
      1_000,
      [],
    ],
    ["in parallel, long enough", Array.from({ length: 10 }, (_, n) => [n, 0, 25]), 1_000, ["n_plus_one"]],
    ["writes", loop(10, 10), 200, [], { effect: "write" }],
    ["BEGIN and COMMIT", loop(10, 10), 200, [], { effect: "control" }],
    ["IN chunks, MGET", loop(10, 10), 200, [], { batch: true }],
    ["= ANY with several keys", loop(10, 10, (n) => [n, n + 1]), 200, [], { batch: "array" }],
    ["= ANY with one key each", loop(10, 10, (n) => [n]), 200, ["n_plus_one"], { batch: "array" }],
    ["= ANY with the same key each", loop(10, 10, () => [7]), 200, ["duplicate_query"], { batch: "array" }],
    ["= ANY with now one, now several", loop(8, 10, (n) => (n % 2 === 0 ? [n] : [n, 1])), 200, [], { batch: "array" }],
    ["= ANY with an array as a text", loop(10, 10, (n) => `{${n}}`), 200, [], { batch: "array" }],
    ["locks", loop(10, 10), 200, [], { queryText: "SELECT pg_try_advisory_xact_lock($1)" }],
    ["locks of MySQL", loop(10, 10), 200, [], { queryText: "SELECT GET_LOCK(?, ?)" }],
    ["pool waits do not count", loop(10, 10), 10_000, [], {}, 9],
  ])("%s", (_, calls, requestMs, expected, changes, waitMs) => {
    expect(kinds(calls, requestMs, changes, waitMs)).toEqual(expected);
  });

  test.each([
    ["postgresql", "n_plus_one", "(WHERE key = ANY($1), or a JOIN in"],
    ["mysql", "n_plus_one", "(WHERE key IN (…), or a JOIN in"],
    ["mongodb", "n_plus_one", "({ $in: keys }, or a $lookup in"],
    ["redis", "repeated_lookup", "with MGET"],
    ["memcached", "repeated_lookup", "(getMulti)"],
  ])("of %s: %s, and the cure in its own words", (system, kind, cure) => {
    expect(kinds(loop(6, 10), 100, { system, operationName: "GET" })).toEqual([kind]);
    expect(findings[0]?.advice).toContain(cure);
  });

  test("ignored by route or fingerprint", () => {
    options = { nPlusOne: { ignoreRoutes: ["/orders"] } };
    expect(kinds(loop(9, 9), 100)).toEqual([]);
    for (const stop of stops.splice(0)) stop();
    options = { nPlusOne: { ignoreFingerprints: ["00000000000000aa"] } };
    expect(kinds(loop(9, 9), 100)).toEqual([]);
  });

  test("says how often, how long and where, and marks the spans concerned", () => {
    listen();
    const served = request();
    const shape = template();
    const operations = loop(6, 10).map(([parameter, from, ms]) => run(served, shape, [parameter], from, ms));
    end(served, 80);
    expect(findings[0]).toMatchObject({
      title: "GET /orders runs SELECT items 6 times (60.0 ms of 80.0 ms), one after the other",
      count: 6,
      durationMs: expect.closeTo(60, 6),
      againstMs: expect.closeTo(80, 6),
      advice: expect.stringContaining("in one query"),
    });
    expect(operations.map(({ attributes }) => attributes?.["telltale.repeat"])).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      5,
      6,
    ]);
    expect(served.attributes).toMatchObject({ "telltale.finding.kind": "n_plus_one", "telltale.finding.count": 6 });
  });

  test("shapes do not mix, whatever their names and databases spell together", () => {
    listen();
    const served = request();
    const first = template({ system: "redis", fingerprint: "GET shard1", namespace: "0" });
    const second = template({ system: "redis", fingerprint: "GET shard", namespace: "10" });
    for (let n = 0; n < 8; n++) run(served, n % 2 === 0 ? first : second, [n], n * 10, 10);
    end(served, 100);
    expect(findings).toEqual([]);
  });

  test("requests do not mix, and what ends after its request is nobody's", () => {
    listen();
    const shape = template();
    const [first, second] = [request(), request()];
    for (let n = 0; n < 8; n++) run(n % 2 === 0 ? first : second, shape, [n], n * 10, 10);
    end(first, 100);
    for (let n = 0; n < 8; n++) run(first, shape, [n], 200 + n * 10, 10);
    end(second, 100);
    expect(findings).toEqual([]);
  });
});

test("queries of more than 500 shapes are counted", () => {
  listen();
  const served = request();
  const before = reached("request.query_shapes");
  for (let n = 0; n < 510; n++) run(served, template({ fingerprint: `shape ${n}` }), [], n, 1);
  end(served, 600);
  expect(reached("request.query_shapes") - before).toBe(10);
});

function reached(limit: string): number {
  return (
    [...selfCounters()].find(({ metric, value }) => metric === "telltale.limits.reached" && value === limit)?.total ?? 0
  );
}
