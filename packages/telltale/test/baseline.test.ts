import { describe, expect, test } from "vitest";
import { compare, DEFAULT_TOLERANCES, type Tolerances } from "../src/cli/baseline/compare.js";
import { type Baseline, measure, type RouteFigures } from "../src/cli/baseline/measure.js";
import { readPage, type Sample } from "../src/cli/baseline/sample.js";
import { describeBaseline, describeComparison } from "../src/cli/baseline/table.js";

describe("a page", () => {
  test("is read with time stamps, exemplars and escapes", () => {
    const page = `# TYPE a counter
a_total{x="1,2}",y="q\\"\\\\\\n"} 3 1700000000 # {trace_id="ab"} 1
b 2.5e1
c_bucket{le="+Inf"} +Inf
d NaN
# EOF`;
    expect(readPage(page)).toEqual([
      { name: "a_total", labels: { x: "1,2}", y: 'q"\\\n' }, value: 3 },
      { name: "b", labels: {}, value: 25 },
      { name: "c_bucket", labels: { le: "+Inf" }, value: Number.POSITIVE_INFINITY },
      { name: "d", labels: {}, value: Number.NaN },
    ]);
  });

  test.each(["<html>", "a b", '{"status":"success"}'])("%j is none", (text) => {
    expect(() => readPage(text)).toThrow(SyntaxError);
  });
});

describe("figures", () => {
  const bucket = (le: string, value: number, labels: Record<string, string> = {}): Sample => ({
    name: "http_server_request_duration_seconds_bucket",
    labels: { http_request_method: "GET", http_route: "/a", http_response_status_code: "200", le, ...labels },
    value,
  });

  test("are those of arithmetic", () => {
    // 90 below 10 ms, 10 from 10 to 100 ms; of another 100, which failed, all take 10 s or more.
    const failed = { http_response_status_code: "503" };
    const samples = [
      bucket("0.01", 90),
      bucket("0.1", 100),
      bucket("10.0", 100),
      bucket("+Inf", 100),
      bucket("10.0", 0, failed),
      bucket("+Inf", 100, failed),
      { name: "telltale_request_queries_total", labels: { http_request_method: "GET", http_route: "/a" }, value: 500 },
      {
        name: "telltale_cache_lookups_total",
        labels: { telltale_cache_name: "c", telltale_cache_result: "hit" },
        value: 30,
      },
      {
        name: "telltale_cache_lookups_total",
        labels: { telltale_cache_name: "c", telltale_cache_result: "miss" },
        value: 10,
      },
      {
        name: "db_client_operation_duration_bucket",
        labels: { db_system_name: "mysql", db_query_summary: "SELECT t", le: "0.1" },
        value: 5,
      },
      {
        name: "db_client_operation_duration_bucket",
        labels: { db_system_name: "mysql", db_query_summary: "SELECT t", le: "+Inf" },
        value: 7,
      },
    ];
    expect(measure({ samples, seconds: 50 }, Date.UTC(2026, 0, 31))).toEqual({
      telltale: "baseline",
      version: 1,
      recordedAt: "2026-01-31T00:00:00.000Z",
      seconds: 50,
      // Rank 100 is the end of the second bucket; ranks 190 and 198 are beyond the last bound.
      routes: {
        "GET /a": {
          requests: 200,
          perSecond: 4,
          errorRatio: 0.5,
          p50Ms: 100,
          p95Ms: 10_000,
          p99Ms: 10_000,
          queriesPerRequest: 2.5,
        },
      },
      queries: { "mysql SELECT t": { calls: 7 } },
      caches: { c: { lookups: 40, hitRatio: 0.75 } },
    });
  });

  test("are interpolated within a bucket, as Prometheus does it", () => {
    const { routes } = measure(
      { samples: [bucket("0.01", 90), bucket("0.1", 100), bucket("+Inf", 100)], seconds: 1 },
      0,
    );
    // Rank 50 of 90 in 0 to 10 ms; ranks 95 and 99 of 90 to 100 in 10 to 100 ms.
    expect(routes["GET /a"]).toMatchObject({ p50Ms: 5.5556, p95Ms: 55, p99Ms: 91 });
  });

  test("come in an order of their own", () => {
    const samples = ["/b", "/a", "/c"].map((http_route) => bucket("+Inf", 1, { http_route }));
    expect(Object.keys(measure({ samples, seconds: 1 }, 0).routes)).toEqual(["GET /a", "GET /b", "GET /c"]);
  });

  test("leave out what nobody asked for", () => {
    expect(measure({ samples: [bucket("+Inf", 0)], seconds: 1 }, 0).routes).toEqual({});
  });
});

const ROUTE: RouteFigures = {
  requests: 1000,
  perSecond: 10,
  errorRatio: 0,
  p50Ms: 5,
  p95Ms: 20,
  p99Ms: 50,
  queriesPerRequest: 2,
};
const baseline = (parts: Partial<Baseline> = {}): Baseline => ({
  telltale: "baseline",
  version: 1,
  recordedAt: "",
  seconds: 100,
  routes: { "GET /a": ROUTE },
  queries: {},
  caches: {},
  ...parts,
});
const route = (parts: Partial<RouteFigures>): Partial<Baseline> => ({ routes: { "GET /a": { ...ROUTE, ...parts } } });
const few = (requests: number, parts: Partial<RouteFigures> = {}): Partial<Baseline> =>
  route({ requests, perSecond: requests / 100, ...parts });

describe("what is worse", () => {
  test.each<
    [
      name: string,
      before: Partial<Baseline>,
      now: Partial<Baseline>,
      expected: string[],
      tolerances?: Partial<Tolerances>,
    ]
  >([
    ["nothing", {}, {}, []],
    ["everything better", {}, route({ p99Ms: 1, p95Ms: 1, requests: 9000, perSecond: 90, queriesPerRequest: 0 }), []],
    ["p99 twice", {}, route({ p99Ms: 100 }), []],
    ["p99 over twice", {}, route({ p99Ms: 101 }), ["latency p99Ms"]],
    ["p99 over twice, tolerated", {}, route({ p99Ms: 101 }), [], { p99: 3 }],
    ["p99 many times, but not 10 ms", route({ p99Ms: 1 }), route({ p99Ms: 11 }), []],
    ["p99 many times, and 10 ms", route({ p99Ms: 1 }), route({ p99Ms: 11.1 }), ["latency p99Ms"]],
    ["p99 of so few that p95 counts", few(400), few(400, { p99Ms: 500 }), []],
    ["p95 of few", few(400), few(400, { p95Ms: 41 }), ["latency p95Ms"]],
    ["all of too few", few(99), few(99, { p95Ms: 500, errorRatio: 1, queriesPerRequest: 90 }), []],
    [
      "all of what became too few by chance",
      few(120),
      few(99, { p95Ms: 500, errorRatio: 1, queriesPerRequest: 90 }),
      [],
    ],
    ["throughput of 80 %", {}, few(800), []],
    ["throughput below, by chance", {}, few(720), []],
    ["throughput below", {}, few(600), ["throughput perSecond"]],
    ["throughput below, tolerated", {}, few(600), [], { throughput: 0.5 }],
    ["a route that is gone", {}, { routes: {} }, ["throughput perSecond"]],
    ["a look half as long", {}, { ...few(500), seconds: 50 }, []],
    ["errors of 1 %", {}, route({ errorRatio: 0.01 }), []],
    ["errors over 1 %", {}, route({ errorRatio: 0.011 }), ["errors errorRatio"]],
    ["as many errors as before", route({ errorRatio: 0.2 }), route({ errorRatio: 0.205 }), []],
    ["four errors", few(200), few(200, { errorRatio: 0.02 }), []],
    ["half a query more", {}, route({ queriesPerRequest: 2.5 }), []],
    ["more queries", {}, route({ queriesPerRequest: 2.51 }), ["queries queriesPerRequest"]],
    ["less than a fifth more of many queries", route({ queriesPerRequest: 20 }), route({ queriesPerRequest: 24 }), []],
    [
      "a query where there was none",
      route({ queriesPerRequest: 0 }),
      route({ queriesPerRequest: 1 }),
      ["queries queriesPerRequest"],
    ],
    ["a new query", {}, { queries: { "redis GET a": { calls: 10 } } }, ["new_query calls"]],
    ["a new query, once in a while", {}, { queries: { "redis GET a": { calls: 9 } } }, []],
    ["a query as before", { queries: { q: { calls: 1 } } }, { queries: { q: { calls: 1e6 } } }, []],
    ["what the bound of summaries took", {}, { queries: { "mysql other": { calls: 99 } } }, []],
    [
      "a hit ratio 0.1 lower",
      { caches: { c: { lookups: 500, hitRatio: 0.75 } } },
      { caches: { c: { lookups: 500, hitRatio: 0.65 } } },
      [],
    ],
    [
      "a lower hit ratio",
      { caches: { c: { lookups: 500, hitRatio: 0.75 } } },
      { caches: { c: { lookups: 500, hitRatio: 0.64 } } },
      ["hit_ratio hitRatio"],
    ],
    [
      "a lower hit ratio of few",
      { caches: { c: { lookups: 99, hitRatio: 0.75 } } },
      { caches: { c: { lookups: 99, hitRatio: 0 } } },
      [],
    ],
    ["a cache turned off", { caches: { c: { lookups: 500, hitRatio: 0.75 } } }, {}, ["cache_unused lookups"]],
  ])("%s", (_, before, now, expected, tolerances = {}) => {
    const { regressions } = compare(baseline(before), baseline(now), { ...DEFAULT_TOLERANCES, ...tolerances });
    expect(regressions.map(({ kind, figure }) => `${kind} ${figure}`)).toEqual(expected);
  });

  test("names routes and caches with too little traffic, and counts the others", () => {
    const caches = { c: { lookups: 3, hitRatio: 1 } };
    const routes = { "GET /a": ROUTE, "GET /b": { ...ROUTE, requests: 5, perSecond: 0.05 } };
    const comparison = compare(baseline({ routes, caches }), baseline({ routes, caches }), DEFAULT_TOLERANCES);
    expect(comparison).toEqual({ regressions: [], judged: 1, tooLittle: ["GET /b", "c"] });
    expect(describeComparison(comparison)).toBe("No regression in 1 route.\nToo little traffic to judge: GET /b, c");
    expect(describeBaseline(baseline({ routes, caches }), 100)).toMatch(
      /\n\nToo little traffic to judge \(under 100\): GET \/b, c$/,
    );
    expect(describeBaseline(baseline({ routes, caches }), 3)).not.toContain("Too little");
  });

  test("is told in a table", () => {
    const comparison = compare(
      baseline(),
      baseline({ ...route({ p99Ms: 1200, errorRatio: 0.25 }) }),
      DEFAULT_TOLERANCES,
    );
    expect(describeComparison(comparison)).toBe(`2 regressions:

  what         where   figure   before     now   limit
  slower       GET /a  p99     50.0 ms  1.20 s  100 ms
  more errors  GET /a  errors    0.0 %  25.0 %   1.0 %`);
  });
});
