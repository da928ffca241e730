import { describe, expect, test } from "vitest";
import type { Caches, Instruments, MetricData, Now, Pools, Steps } from "../src/api/answers.js";
import { Distribution } from "../src/api/distribution.js";
import { increasesOf } from "../src/api/increases.js";
import { ratesOf, totalOf } from "../src/api/over-time.js";
import type { Point } from "../src/api/series.js";
import { windowOf } from "../src/api/time-window.js";
import { NOW_MS, type Seed, seedStore } from "./seed-store.js";

const window = windowOf(NOW_MS, 15);
const FROM_MS = window.fromMs;
const valueOf = ({ value }: { value: number }): number => value;

function point(ms: number, value: number, startMs = 0, rest: Partial<Point> = {}): Point {
  return { us: ms * 1000, startUs: startMs * 1000, value, count: null, min: null, max: null, buckets: null, ...rest };
}

const known = ({ values }: Steps): number[] => values.filter((value) => value !== null);
const cumulative = { isDelta: false };

/** The same whenever it is run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}

describe("what a counter counted", () => {
  test.each([1, 2, 3, 4, 5])("equals what happened, in steps and in all, through restarts (%i)", (seed) => {
    const random = createRandom(seed);
    const events: number[] = [];
    const cumulativePoints: Point[] = [];
    const deltaPoints: Point[] = [];
    let startMs = FROM_MS - 100_000;
    let sinceMs = startMs;
    let total = 0;
    for (let ms = startMs; ms < NOW_MS - 100; ms += 100) {
      // An event at each tick of the clock, so that it comes evenly; the points come when they like.
      events.push(ms + 50);
      total += 1;
      const at = ms + 100;
      if (random() < 0.02) {
        cumulativePoints.push(point(at, total, startMs));
        deltaPoints.push(point(at, (at - sinceMs) / 100, sinceMs));
        sinceMs = at;
        // A new process counts from 0; what is not told yet is told by nobody.
        if (random() < 0.2) {
          startMs = at;
          total = 0;
        }
      }
    }
    const toldMs = sinceMs;
    for (const [points, isDelta] of [
      [cumulativePoints, false],
      [deltaPoints, true],
    ] as const) {
      const increases = increasesOf(points, { isDelta });
      const inWindow = events.filter((ms) => ms >= FROM_MS && ms < toldMs).length;
      expect(totalOf(increases, window, valueOf)).toBeCloseTo(inWindow, 6);
      const rates = ratesOf(increases, window, valueOf);
      const lastWhole = Math.floor((toldMs - FROM_MS) / window.stepMs) - 1;
      for (let step = 0; step <= lastWhole; step++) expect(rates[step], `step ${step}`).toBeCloseTo(10, 6);
      expect(rates.length).toBe(window.count);
    }
  });

  test("a value that falls has begun anew, also where nobody says when", () => {
    const points = [point(FROM_MS + 1_000, 100), point(FROM_MS + 2_000, 130), point(FROM_MS + 3_000, 5)];
    expect(increasesOf(points, cumulative).map(valueOf)).toEqual([30, 5]);
    // Of the first, nobody knows what is new.
    expect(increasesOf(points.slice(0, 1), cumulative)).toEqual([]);
    expect(increasesOf([point(FROM_MS + 1_000, 100, FROM_MS)], cumulative).map(valueOf)).toEqual([100]);
  });

  test("a process that was started again and has counted further than before is not taken for the old one", () => {
    const points = [point(FROM_MS + 1_000, 10, FROM_MS), point(FROM_MS + 9_000, 50, FROM_MS + 2_000)];
    expect(increasesOf(points, cumulative)).toMatchObject([
      { value: 10 },
      { value: 50, fromUs: (FROM_MS + 2_000) * 1000, toUs: (FROM_MS + 9_000) * 1000 },
    ]);
  });

  test("a delta without a beginning counts in the step that it came in", () => {
    const increases = increasesOf([point(FROM_MS + 20_000, 30)], { isDelta: true });
    expect(totalOf(increases, window, valueOf)).toBe(30);
    expect(ratesOf(increases, window, valueOf).slice(0, 3)).toEqual([null, 30 / 15, null]);
  });

  test("histograms whose buckets widen are told apart all the same", () => {
    const narrow = { bounds: [1, 2, 4], counts: [1, 2, 3, 0] };
    const wide = { bounds: [2, 4], counts: [5, 4, 1] };
    const points = [
      point(FROM_MS + 1_000, 9, 0, { count: 6, buckets: narrow }),
      point(FROM_MS + 2_000, 20, 0, { count: 10, buckets: wide }),
    ];
    expect(increasesOf(points, cumulative)).toMatchObject([{ count: 4, value: 11, buckets: { counts: [2, 1, 1] } }]);
  });
});

describe("quantiles of buckets", () => {
  const bounds = [1, 2, 5, 10];
  const distributionOf = (values: readonly number[]): Distribution => {
    const counts = [...bounds, Infinity].map(
      (bound, index) => values.filter((value) => value <= bound && value > (bounds[index - 1] ?? -Infinity)).length,
    );
    const distribution = new Distribution();
    const ends = { min: Math.min(...values), max: Math.max(...values) };
    distribution.add({ fromUs: 0, toUs: 0, value: 0, count: values.length, buckets: { bounds, counts }, ...ends });
    return distribution;
  };

  test("lie in the bucket of the true one", () => {
    const random = createRandom(7);
    const values = Array.from({ length: 500 }, () => random() ** 3 * 20).sort((a, b) => a - b);
    const distribution = distributionOf(values);
    for (const part of [0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 1]) {
      const truth = values[Math.ceil(part * values.length) - 1] ?? 0;
      const found = distribution.quantile(part) ?? 0;
      const bucketOf = (value: number): number => bounds.filter((bound) => value > bound).length;
      expect(bucketOf(found), `${part}: ${found} for ${truth}`).toBe(bucketOf(truth));
    }
    expect(distribution.highest()).toBe(Math.max(...values));
  });

  test("of histograms with different bounds are those of all of them", () => {
    const distribution = new Distribution();
    const add = (bounds: readonly number[], counts: readonly number[]) =>
      distribution.add({ fromUs: 0, toUs: 0, value: 0, count: 10, buckets: { bounds, counts }, min: null, max: null });
    add([1, 2], [10, 0, 0]);
    add([1, 2], [0, 10, 0]);
    add([2, 4], [0, 10, 0]);
    add([8], [0, 10]);
    // 10 up to 1, 10 up to 2, 10 up to 4, 10 above 8, of which nobody knows how far.
    expect([0.125, 0.25, 0.375, 0.5, 0.75, 1].map((part) => distribution.quantile(part))).toEqual([
      0.5, 1, 1.5, 2, 4, 8,
    ]);
    expect(distribution.count).toBe(40);
  });

  test("of evenly spread values are exact", () => {
    const values = Array.from({ length: 100 }, (_, index) => (index + 1) / 100);
    expect(distributionOf(values).quantile(0.5)).toBeCloseTo(0.5, 1);
    expect(distributionOf([]).quantile(0.5)).toBeNull();
  });
});

/** A counter of two processes that goes up by `perMinute`, with a point each minute. */
function addCounter(seed: Seed, series: number, perMinute: number): void {
  for (let minute = 0; minute <= 20; minute++) {
    seed.addPoint(series, NOW_MS - (20 - minute) * 60_000, minute * perMinute, {
      start_us: (NOW_MS - 1_200_000) * 1000,
    });
  }
}

async function seedProcesses(): Promise<Seed> {
  const seed = await seedStore();
  seed.addResource("shop", "a");
  seed.addResource("shop", "b");
  seed.addResource("stock", "c");
  return seed;
}

describe("GET /api/metric", () => {
  test("of counters is what all processes count per second, by attribute where asked", async () => {
    const seed = await seedProcesses();
    const sum = { is_monotonic: 1, unit: "{request}" };
    for (const [by, route, perMinute] of [
      [1, "/a", 60],
      [2, "/a", 120],
      [3, "/a", 240],
      [1, "/b", 600],
    ] as const) {
      addCounter(seed, seed.addSeries(by, "requests", "sum", { "http.route": route }, sum), perMinute);
    }
    const all = seed.get<MetricData>("/api/metric/requests");
    expect(all).toMatchObject({
      instrument: {
        name: "requests",
        kind: "sum",
        isMonotonic: true,
        series: 4,
        services: ["shop", "stock"],
        unit: "{request}",
      },
      attributes: ["http.route"],
      leftOut: 0,
    });
    for (const value of known(all.lines[0]?.values ?? all.lines[1]?.values ?? { fromMs: 0, stepMs: 0, values: [] })) {
      expect(value).toBeCloseTo((60 + 120 + 240 + 600) / 60, 6);
    }
    const byRoute = seed.get<MetricData>("/api/metric/requests?by=http.route&service=shop");
    expect(byRoute.lines.map(({ label }) => label)).toEqual(["/b", "/a"]);
    expect(known((byRoute.lines[1] as { values: Steps }).values)[0]).toBeCloseTo(3, 6);
    expect(known((byRoute.lines[1] as { values: Steps }).values)).toHaveLength(60);
  });

  test("of gauges is the mean of processes, of sums that go up and down what they add up to", async () => {
    const seed = await seedProcesses();
    for (const by of [1, 2]) {
      seed.addPoint(seed.addSeries(by, "utilization", "gauge", {}), NOW_MS - 30_000, by / 10);
      const connections = seed.addSeries(by, "connections", "sum", {});
      seed.addPoint(connections, NOW_MS - 200_000, 100);
      seed.addPoint(connections, NOW_MS - 30_000, by);
    }
    const [utilization] = seed.get<MetricData>("/api/metric/utilization").lines;
    expect(known(utilization?.values as Steps).at(-1)).toBeCloseTo(0.15, 9);
    const [connections] = seed.get<MetricData>("/api/metric/connections").lines;
    const values = connections?.values.values ?? [];
    expect(values.at(-1)).toBe(3);
    // 200 s ago it was 200, which holds for 90 s; what is in between nobody knows.
    expect(values).toContain(200);
    expect(values.slice(values.lastIndexOf(200) + 1, values.indexOf(3))).toContain(null);
  });

  test("of histograms are the rate and the quantiles, with exemplars that lead to traces", async () => {
    const seed = await seedProcesses();
    seed.addSpan({ trace: "kept", startMs: NOW_MS, ms: 1 });
    const series = seed.addSeries(1, "duration", "histogram", {}, { is_monotonic: 1, unit: "s" });
    const exemplars = ["kept", "gone"].map((traceId, value) => ({
      value,
      timeMs: NOW_MS - 1_000 - value,
      traceId,
      spanId: "",
    }));
    const add = (ms: number, counts: readonly number[], facts = {}): void =>
      seed.addPoint(series, ms, 1, {
        start_us: (NOW_MS - 60_000) * 1000,
        count: counts.reduce((all, each) => all + each, 0),
        buckets: JSON.stringify({ bounds: [1, 2], counts }),
        ...facts,
      });
    add(NOW_MS - 45_000, [10, 0, 0]);
    add(NOW_MS - 1_000, [10, 440, 0], { exemplars: JSON.stringify(exemplars) });
    const data = seed.get<MetricData>("/api/metric/duration");
    const [line] = data.lines;
    // 440 in 44 s, evenly between 1 and 2.
    expect(known(line?.values as Steps).at(-1)).toBeCloseTo(10, 6);
    expect(known(line?.p50 as Steps).at(-1)).toBeCloseTo(1.5, 6);
    expect(known(line?.p99 as Steps).at(-1)).toBeCloseTo(1.99, 6);
    expect(known(line?.p99 as Steps)[0]).toBeCloseTo(0.99, 6);
    expect(data.exemplars.map(({ traceId, isKept, value }) => [traceId, isKept, value])).toEqual([
      ["gone", false, 1],
      ["kept", true, 0],
    ]);
    expect(seed.get<Instruments>("/api/metrics?text=DURA").instruments).toMatchObject([
      { name: "duration", hasExemplars: true },
    ]);
    expect(seed.get<Instruments>("/api/metrics?service=stock").instruments).toEqual([]);
  });

  test("has twenty lines, the largest", async () => {
    const seed = await seedProcesses();
    for (let index = 0; index < 30; index++) {
      seed.addPoint(seed.addSeries(1, "size", "gauge", { index }), NOW_MS - 1_000, index);
    }
    const { lines, leftOut } = seed.get<MetricData>("/api/metric/size?by=index");
    expect(lines.map(({ label }) => label)).toEqual(Array.from({ length: 20 }, (_, index) => String(29 - index)));
    expect(leftOut).toBe(10);
    for (const by of ["constructor", "__proto__", "toString"]) {
      expect(seed.get<MetricData>(`/api/metric/size?by=${by}`).lines.map(({ label }) => label)).toEqual(["(none)"]);
    }
  });
});

test("a process is shown by what it tells of itself", async () => {
  const seed = await seedProcesses();
  const at = NOW_MS - 2_000;
  seed.addPoint(seed.addSeries(1, "nodejs.eventloop.delay.p99", "gauge", {}), at, 0.025);
  for (const [space, bytes] of [
    ["new_space", 100],
    ["old_space", 200],
  ] as const) {
    seed.addPoint(seed.addSeries(1, "v8js.memory.heap.used", "sum", { "v8js.heap.space.name": space }), at, bytes);
  }
  for (const [mode, share] of [
    ["user", 30],
    ["system", 15],
  ] as const) {
    addCounter(seed, seed.addSeries(1, "process.cpu.time", "sum", { "cpu.mode": mode }, { is_monotonic: 1 }), share);
  }
  const { processes } = seed.get<Now>("/api/now");
  expect(processes).toHaveLength(1);
  const [process] = processes;
  expect(process).toMatchObject({ service: "shop", instance: "a" });
  expect(known(process?.loopDelayP99Ms as Steps).at(-1)).toBeCloseTo(25, 9);
  expect(known(process?.heapUsedBytes as Steps).at(-1)).toBe(300);
  expect(known(process?.cpu as Steps).at(-1)).toBeCloseTo(45 / 60, 6);
  expect(known(process?.rssBytes as Steps)).toEqual([]);
});

describe("GET /api/caches", () => {
  test("counts keys as the metric does, in all processes; what failed or was too old is no hit", async () => {
    const seed = await seedProcesses();
    const lookups = (by: number, result: string, cache = "user"): number =>
      seed.addSeries(
        by,
        "telltale.cache.lookups",
        "sum",
        { "telltale.cache.name": cache, "telltale.cache.result": result },
        { is_monotonic: 1 },
      );
    const startUs = (NOW_MS - 300_000) * 1000;
    const add = (series: number, value: number) => seed.addPoint(series, NOW_MS - 1_000, value, { start_us: startUs });
    add(lookups(1, "hit"), 70);
    add(lookups(2, "hit"), 20);
    add(lookups(1, "miss"), 6);
    add(lookups(2, "stale"), 4);
    add(lookups(1, "error"), 1_000);
    add(lookups(3, "hit"), 5);
    const request = { trace: "t", startMs: NOW_MS - 5_000, ms: 1 };
    seed.addSpan({ ...request, route: "GET /" });
    const user = {
      system: "redis",
      fingerprint: "1",
      attributes: { "telltale.cache.name": "user", "db.query.text": "GET user:?" },
    };
    seed.addSpan({ ...request, ...user, misses: 2, hits: 1 });
    seed.addSpan({ ...request, ...user, misses: 2 });
    seed.addSpan({ ...request, ...user, trace: "u", misses: 100, hits: 0, parent: "x" });
    seed.addSpan({ ...request, ...user, fingerprint: "2", attributes: { "db.query.text": "GET other" } });
    seed.addFinding(1, "f", "t", 1, {
      "telltale.finding.kind": "cache_stampede",
      "telltale.finding.evidence.cache": "user",
    });
    const { caches } = seed.get<Caches>("/api/caches");
    expect(caches.map(({ service, cache }) => `${service} ${cache}`)).toEqual(["shop user", "stock user"]);
    expect(caches[0]).toMatchObject({ hits: 90, misses: 10, hitRatio: 0.9, missesPerRequest: 4 });
    expect(caches[0]?.patterns).toEqual([{ pattern: "GET user:?", lookups: 105, misses: 104 }]);
    expect(caches[0]?.findings.map(({ id }) => id)).toEqual(["f"]);
    for (const ratio of known(caches[0]?.hitRatios as Steps)) expect(ratio).toBeCloseTo(0.9, 9);
    expect(known(caches[0]?.lookups as Steps)[0]).toBeCloseTo(100 / 299, 6);
  });

  test("of an app that does not tell what came of its calls, these are all that is known", async () => {
    const seed = await seedProcesses();
    for (const text of ["GET user:?", "get user:?", "SET user:?", "MGET a b"]) {
      seed.addSpan({
        system: "redis",
        fingerprint: text,
        startMs: NOW_MS - 1_000,
        ms: 1,
        attributes: { "db.statement": text },
      });
    }
    const { caches } = seed.get<Caches>("/api/caches");
    expect(caches).toHaveLength(1);
    expect(caches[0]).toMatchObject({ cache: "redis", hits: 0, misses: 0, hitRatio: null, missesPerRequest: null });
    expect(caches[0]?.patterns.map(({ pattern, misses }) => [pattern, misses])).toEqual([
      ["GET user:?", null],
      ["get user:?", null],
      ["MGET a b", null],
    ]);
  });
});

describe("GET /api/pools", () => {
  test("a pool of a process: levels, waits in ms, who holds it", async () => {
    const seed = await seedProcesses();
    const name = { "db.client.connection.pool.name": "pg", "db.system.name": "postgresql" };
    const level = (metric: string, value: number, more = {}, by = 1): void =>
      seed.addPoint(
        seed.addSeries(by, `db.client.connection.${metric}`, "sum", { ...name, ...more }),
        NOW_MS - 1_000,
        value,
      );
    const used = seed.addSeries(1, "db.client.connection.count", "sum", {
      ...name,
      "db.client.connection.state": "used",
    });
    seed.addPoint(used, NOW_MS - 2_000, 9);
    seed.addPoint(used, NOW_MS - 1_000, 7);
    level("count", 3, { "db.client.connection.state": "idle" });
    level("count", 1, { "db.client.connection.state": "used" }, 2);
    level("pending_requests", 4);
    level("limit", 10);
    const timeouts = seed.addSeries(1, "db.client.connection.timeouts", "sum", name, { is_monotonic: 1 });
    seed.addPoint(timeouts, NOW_MS - 1_000, 3, { start_us: (NOW_MS - 60_000) * 1000 });
    const wait = seed.addSeries(1, "db.client.connection.wait_time", "histogram", name, { unit: "s" });
    seed.addPoint(wait, NOW_MS - 1_000, 1, {
      start_us: (NOW_MS - 60_000) * 1000,
      count: 100,
      min: 0.1,
      max: 0.2,
      buckets: JSON.stringify({ bounds: [0.1, 0.2], counts: [0, 100, 0] }),
    });
    for (const [trace, ms] of [
      ["a", 30],
      ["b", 50],
    ] as const) {
      seed.addSpan({ trace, route: `GET /${trace}`, startMs: NOW_MS - 5_000, ms: 100 });
      seed.addSpan({
        trace,
        parent: "x",
        system: "postgresql",
        fingerprint: "1",
        startMs: NOW_MS - 4_990,
        ms,
        attributes: name,
      });
    }
    seed.addSpan({
      trace: "b",
      parent: "x",
      system: "postgresql",
      fingerprint: "1",
      startMs: NOW_MS - 4_900,
      ms: 80,
      attributes: { ...name, "telltale.pool.wait_ms": 70 },
    });
    seed.addFinding(1, "f", "a", 2, {
      "telltale.finding.kind": "pool_starved",
      "telltale.finding.endpoint": "GET /a",
      "telltale.finding.evidence.pool": "pg",
      "telltale.finding.evidence.heldMs": 900,
    });
    const { pools } = seed.get<Pools>("/api/pools");
    expect(pools.map(({ instance }) => instance)).toEqual(["a", "b"]);
    const [pool, other] = pools;
    expect(pool).toMatchObject({ service: "shop", pool: "pg", system: "postgresql", limit: 10, timeouts: 3 });
    expect([pool?.used, pool?.idle, pool?.pending].map((steps) => known(steps as Steps).at(-1))).toEqual([9, 3, 4]);
    expect(pool?.waits.count).toBe(100);
    expect(pool?.waits.p50Ms).toBeCloseTo(150, 6);
    expect(pool?.waits.p95Ms).toBeCloseTo(195, 6);
    expect(pool?.waits.maxMs).toBeCloseTo(200, 6);
    expect(pool?.holders).toEqual([
      { route: "GET /a", heldMs: 900, calls: 2 },
      { route: "GET /b", heldMs: 60, calls: 2 },
    ]);
    expect(pool?.findings.map(({ id }) => id)).toEqual(["f"]);
    expect(other).toMatchObject({ limit: null, waits: { count: 0, p50Ms: 0, p95Ms: 0, maxMs: 0 }, timeouts: 0 });
  });

  test("the names of before are understood, and milliseconds", async () => {
    const seed = await seedProcesses();
    const name = { "pool.name": "hikari" };
    seed.addPoint(
      seed.addSeries(3, "db.client.connections.usage", "sum", { ...name, state: "used" }),
      NOW_MS - 1_000,
      2,
    );
    const wait = seed.addSeries(3, "db.client.connections.wait_time", "histogram", name, { unit: "ms", is_delta: 1 });
    seed.addPoint(wait, NOW_MS - 1_000, 10, {
      start_us: (NOW_MS - 6_000) * 1000,
      count: 10,
      buckets: JSON.stringify({ bounds: [4, 8], counts: [0, 10, 0] }),
    });
    const { pools } = seed.get<Pools>("/api/pools?service=stock");
    expect(pools).toMatchObject([{ pool: "hikari", system: null, waits: { count: 10, p50Ms: 6, maxMs: 8 } }]);
    expect(known(pools[0]?.used as Steps).at(-1)).toBe(2);
  });

  test("pools that ended take no other pool's place", async () => {
    const seed = await seedProcesses();
    const used = (pool: string) => ({ "db.client.connection.pool.name": pool, "db.client.connection.state": "used" });
    for (let n = 0; n < 250; n += 1) {
      const series = seed.addSeries(1, "db.client.connection.count", "sum", used(`ended ${n}`));
      seed.addPoint(series, NOW_MS - 3_600_000, 1);
    }
    const agent = { "server.address": "api.example", "server.port": 443, "http.connection.state": "active" };
    seed.addPoint(seed.addSeries(1, "http.client.open_connections", "sum", agent), NOW_MS - 1_000, 2);
    const { pools } = seed.get<Pools>("/api/pools");
    expect(pools.map(({ pool }) => pool)).toEqual(["api.example:443"]);
  });
});
