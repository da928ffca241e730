import { expect, test } from "vitest";
import type { Now, Queries, QueryDetail, RouteNow } from "../src/api/answers.js";
import { readSources } from "../src/api/status.js";
import { NOW_MS, type Seed, seedStore } from "./seed-store.js";

/** So many values are below or equal to it, and it is one of them: by counting. */
function naivePercentile(values: readonly number[], part: number): number {
  const enough = values.filter((value) => values.filter((other) => other <= value).length >= part * values.length);
  return Math.min(...enough);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function routeOf({ routes }: Now, route: string): RouteNow {
  const found = routes.find((each) => each.route === route);
  if (found === undefined) throw new Error(`no ${route}`);
  return found;
}

/** Two processes of the shop, and another service: 200 requests in the last four minutes. */
async function seedRequests(seed: Seed) {
  const shops = [seed.addResource("shop", "a"), seed.addResource("shop", "b")];
  const stock = seed.addResource("stock");
  const orders = Array.from({ length: 200 }, (_, index) => ({
    startMs: NOW_MS - 240_000 + index * 1_000,
    ms: ((index * 7919) % 211) + 0.5,
    isError: index % 10 === 0,
    by: shops[index % 2] ?? 0,
  }));
  for (const { startMs, ms, isError, by } of orders) {
    seed.addSpan({ route: "GET /orders", by, startMs, ms, httpStatus: isError ? 500 : 404 });
  }
  seed.addSpan({ route: "GET /orders", by: stock, startMs: NOW_MS - 1_000, ms: 3, status: 2 });
  seed.addSpan({ route: "GET /old", by: stock, startMs: NOW_MS - 600_000, ms: 3 });
  return orders;
}

test("a route is what all processes of its service did in these minutes, by nearest rank", async () => {
  const seed = await seedStore();
  const orders = await seedRequests(seed);
  const now = seed.get<Now>("/api/now?minutes=5");
  const durations = orders.map(({ ms }) => ms);
  const shop = now.routes.find(({ service }) => service === "shop");
  expect(shop).toMatchObject({ route: "GET /orders", requests: 200, errors: 20 });
  expect(shop?.totalMs).toBeCloseTo(sum(durations), 6);
  expect(shop?.p50Ms).toBeCloseTo(naivePercentile(durations, 0.5), 9);
  expect(shop?.p95Ms).toBeCloseTo(naivePercentile(durations, 0.95), 9);
  expect(shop?.p99Ms).toBeCloseTo(naivePercentile(durations, 0.99), 9);
  // What is kept goes back beyond the window, so that all of it counts.
  expect(shop?.perSecond).toBeCloseTo(200 / ((now.toMs - now.fromMs) / 1000), 9);
  expect(now.routes.map(({ route, service }) => `${service} ${route}`)).toEqual([
    "shop GET /orders",
    "stock GET /orders",
  ]);
  expect(now.routes[1]).toMatchObject({ requests: 1, errors: 1, p50Ms: 3, p99Ms: 3 });
});

test("steps say what came in each", async () => {
  const seed = await seedStore();
  const orders = await seedRequests(seed);
  const now = seed.get<Now>("/api/now?minutes=5&service=shop");
  expect(now.routes.map(({ service }) => service)).toEqual(["shop"]);
  const { rate, p95, errorRate } = routeOf(now, "GET /orders");
  expect(rate.values).toHaveLength(60);
  expect(rate.stepMs).toBe(5_000);
  expect(rate.fromMs % 5_000).toBe(0);
  for (const [step, value] of rate.values.slice(0, -1).entries()) {
    const fromMs = rate.fromMs + step * rate.stepMs;
    const within = orders.filter(({ startMs }) => startMs >= fromMs && startMs < fromMs + rate.stepMs);
    expect(value, `step ${step}`).toBeCloseTo(within.length / 5, 9);
    const durations = within.map(({ ms }) => ms);
    expect(p95.values[step] ?? null).toEqual(
      within.length === 0 ? null : expect.closeTo(naivePercentile(durations, 0.95), 9),
    );
    const failed = within.filter(({ isError }) => isError).length;
    expect(errorRate.values[step] ?? null).toEqual(
      within.length === 0 ? null : expect.closeTo(failed / within.length, 9),
    );
  }
});

test("a rate is of the time that is known: a viewer that was started just now has no five minutes", async () => {
  const seed = await seedStore();
  seed.addResource("shop");
  for (let index = 0; index < 20; index++)
    seed.addSpan({ route: "GET /", startMs: NOW_MS - 10_000 + index * 500, ms: 1 });
  const { perSecond, rate } = routeOf(seed.get<Now>("/api/now"), "GET /");
  expect(perSecond).toBeCloseTo(2, 9);
  const known = rate.values.filter((value) => value !== null);
  expect(known.length).toBeLessThanOrEqual(3);
  expect(rate.values[0]).toBeNull();
});

test("queries are added up by fingerprint, and sorted by what is asked for", async () => {
  const seed = await seedStore();
  seed.addResource("shop");
  seed.addResource("stock");
  const calls = Array.from({ length: 90 }, (_, index) => ({ ms: ((index * 37) % 91) + 1, by: 1 + (index % 2) }));
  for (const [index, { ms, by }] of calls.entries()) {
    seed.addSpan({
      fingerprint: "items",
      system: "postgresql",
      by,
      name: "SELECT items",
      startMs: NOW_MS - 100_000 + index * 1_000,
      ms,
      isSlow: ms > 80,
      status: ms > 90 ? 2 : 0,
      ...(index % 3 === 0 && { rows: index }),
      attributes: {
        "db.namespace": "shop",
        "db.query.summary": "SELECT items",
        "db.query.text": "SELECT * FROM items",
      },
    });
  }
  seed.addSpan({
    fingerprint: "old",
    system: "mysql",
    startMs: NOW_MS - 50_000,
    ms: 500,
    attributes: { "db.name": "n", "db.statement": "SELECT 1" },
  });
  seed.addSpan({ fingerprint: "gone", system: "mysql", startMs: NOW_MS - 3_600_000, ms: 500 });
  const { totalMs, queries } = seed.get<Queries>("/api/queries?sort=calls");
  const durations = calls.map(({ ms }) => ms);
  expect(totalMs).toBeCloseTo(sum(durations) + 500, 6);
  expect(queries.map(({ fingerprint }) => fingerprint)).toEqual(["items", "old"]);
  const withRows = calls.flatMap((_, index) => (index % 3 === 0 ? [index] : []));
  expect(queries[0]).toMatchObject({
    system: "postgresql",
    namespace: "shop",
    summary: "SELECT items",
    text: "SELECT * FROM items",
    calls: 90,
    slow: durations.filter((ms) => ms > 80).length,
    errors: durations.filter((ms) => ms > 90).length,
    maxMs: Math.max(...durations),
  });
  expect(queries[0]?.rows).toBeCloseTo(sum(withRows) / withRows.length, 9);
  expect(queries[0]?.meanMs).toBeCloseTo(sum(durations) / 90, 9);
  expect(queries[0]?.p95Ms).toBeCloseTo(naivePercentile(durations, 0.95), 9);
  expect(queries[0]?.share).toBeCloseTo(sum(durations) / (sum(durations) + 500), 9);
  // By the conventions of old.
  expect(queries[1]).toMatchObject({ namespace: "n", text: "SELECT 1", rows: null });
  expect(seed.get<Queries>("/api/queries?sort=mean").queries[0]?.fingerprint).toBe("old");
  expect(seed.get<Queries>("/api/queries?service=stock").queries[0]?.calls).toBe(45);
});

test("a query's callers are the requests that were running, per request", async () => {
  const seed = await seedStore();
  seed.addResource("shop");
  const query = { fingerprint: "items", system: "postgresql", parent: "x" } as const;
  for (let request = 0; request < 4; request++) {
    const startMs = NOW_MS - 60_000 + request * 1_000;
    const trace = `t${request}`;
    seed.addSpan({ trace, id: "x", route: request < 3 ? "GET /orders" : "GET /cart", startMs, ms: 500 });
    for (let call = 0; call <= request; call++) {
      seed.addSpan({
        ...query,
        trace,
        startMs: startMs + call,
        ms: 10 + call,
        attributes: { "code.file.path": "src/a.ts", "code.line.number": 7 },
      });
    }
  }
  seed.addSpan({ ...query, startMs: NOW_MS - 1_000, ms: 100 });
  const { callers, sites, examples, durations, query: item } = seed.get<QueryDetail>("/api/query/items");
  expect(item.calls).toBe(11);
  const byRoute = Object.fromEntries(
    callers.map(({ route, calls, totalMs, perRequest }) => [route, { calls, totalMs, perRequest }]),
  );
  expect(byRoute).toEqual({
    "GET /orders": { calls: 6, totalMs: 10 * 6 + (0 + 0 + 1 + 0 + 1 + 2), perRequest: 2 },
    "GET /cart": { calls: 4, totalMs: 40 + 6, perRequest: 4 },
    "": { calls: 1, totalMs: 100, perRequest: 0 },
  });
  expect(sites).toEqual([{ site: "src/a.ts:7", calls: 10 }]);
  expect(examples[0]).toMatchObject({ durationMs: 100, isSlowest: true });
  expect(examples.some(({ isSlowest }) => !isSlowest)).toBe(true);
  const means = durations.values.filter((value) => value !== null);
  expect(means.at(-1)).toBe(100);
});

test("sources are told with when they were heard last, by any of what they send", async () => {
  const seed = await seedStore();
  for (const instance of ["silent", "spans", "points"]) seed.addResource("shop", instance);
  seed.addSpan({ by: 2, startMs: NOW_MS - 100, ms: 40 });
  seed.addPoint(seed.addSeries(3, "up", "gauge", {}), NOW_MS - 30, 1);
  expect(readSources(seed.store).map(({ instance, lastMs }) => [instance, lastMs])).toEqual([
    ["points", NOW_MS - 30],
    ["spans", NOW_MS - 60],
    ["silent", 0],
  ]);
});
