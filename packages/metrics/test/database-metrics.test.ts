import { AggregationTemporality, DataPointType } from "@opentelemetry/sdk-metrics";
import { selfCounters } from "@telltale/core";
import { expect, test } from "vitest";
import { createMetrics } from "../src/index.js";
import { collected, query, template, values } from "./operations.js";

const METRIC = "db.client.operation.duration";
const ORDERS = {
  "db.system.name": "postgresql",
  "db.namespace": "shop",
  "db.operation.name": "SELECT",
  "db.collection.name": "orders",
  "db.query.summary": "SELECT orders",
  "server.address": "db.example",
  "server.port": 5432,
};

test("seven queries of known durations are one histogram", async () => {
  const metrics = createMetrics({ runtime: false });
  const orders = template();
  // 0 and 1 ms are within the first bound (0.001 s), which is inclusive; 20 s is above the last (10 s).
  for (const ms of [0, 1, 2, 4, 40, 700, 20_000]) metrics.listener.operationEnded?.(query(orders, ms));

  const { data, points } = await collected(metrics, METRIC);
  expect(data).toMatchObject({
    descriptor: { unit: "s" },
    dataPointType: DataPointType.HISTOGRAM,
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  });
  expect(points).toHaveLength(1);
  const { attributes, value } = points[0] ?? {};
  expect(attributes).toEqual(ORDERS);
  expect(value).toMatchObject({
    buckets: {
      boundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
      counts: [2, 2, 0, 1, 0, 0, 1, 0, 0, 1],
    },
    count: 7,
    min: 0,
    max: 20,
  });
  expect((value as { sum: number }).sum).toBeCloseTo(20.747, 9);
});

test("a failed query is a series of its own, and so is each error type", async () => {
  const metrics = createMetrics({ runtime: false });
  const orders = template();
  metrics.listener.operationEnded?.(query(orders, 1, "23505"));
  metrics.listener.operationEnded?.(query(orders, 1, "23505"));
  metrics.listener.operationEnded?.(query(orders, 1, "ECONNRESET"));
  expect(await values(metrics, METRIC)).toEqual([
    [{ ...ORDERS, "error.type": "23505" }, expect.objectContaining({ count: 2 })],
    [{ ...ORDERS, "error.type": "ECONNRESET" }, expect.objectContaining({ count: 1 })],
  ]);
});

test("templates that differ only in text and pool share a series; unknown attributes are absent", async () => {
  const metrics = createMetrics({ runtime: false });
  metrics.listener.operationEnded?.(query(template({ poolName: "a", queryText: "x" }), 1));
  metrics.listener.operationEnded?.(query(template({ poolName: "b", queryText: "y" }), 1));
  const bare = template({ system: "redis", collection: undefined, namespace: undefined, serverPort: undefined });
  metrics.listener.operationEnded?.(query(bare, 1));
  expect(await values(metrics, METRIC)).toEqual([
    [ORDERS, expect.objectContaining({ count: 2 })],
    [
      {
        "db.system.name": "redis",
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT orders",
        "server.address": "db.example",
      },
      expect.objectContaining({ count: 1 }),
    ],
  ]);
});

test("what was collected does not change afterwards, and goes on from its first record", async () => {
  const metrics = createMetrics({ runtime: false });
  const orders = template();
  const before = Date.now();
  metrics.listener.operationEnded?.(query(orders, 1));
  const after = Date.now();
  const first = (await collected(metrics, METRIC)).points[0];
  metrics.listener.operationEnded?.(query(orders, 1));
  const second = (await collected(metrics, METRIC)).points[0];
  expect(first?.value).toMatchObject({ count: 1, buckets: { counts: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0] } });
  expect(second?.value).toMatchObject({ count: 2 });
  expect(second?.startTime).toEqual(first?.startTime);
  const [seconds = 0, nanos = 0] = first?.startTime ?? [];
  expect(seconds * 1000 + nanos / 1e6).toBeGreaterThanOrEqual(before);
  expect(seconds * 1000 + nanos / 1e6).toBeLessThanOrEqual(after);
});

test("two instances hear the same template, each for itself", async () => {
  const orders = template();
  const [old, current] = [createMetrics({ runtime: false }), createMetrics({ runtime: false })];
  old.listener.operationEnded?.(query(orders, 1));
  current.listener.operationEnded?.(query(orders, 1));
  current.listener.operationEnded?.(query(orders, 1));
  expect(await values(old, METRIC)).toEqual([[ORDERS, expect.objectContaining({ count: 1 })]]);
  expect(await values(current, METRIC)).toEqual([[ORDERS, expect.objectContaining({ count: 2 })]]);
});

test("a duration that is none is left out", async () => {
  const metrics = createMetrics({ runtime: false });
  for (const ms of [Number.NaN, -1, Infinity, 3]) metrics.listener.operationEnded?.(query(template(), ms));
  const [[, value] = []] = await values(metrics, METRIC);
  expect(value).toMatchObject({ count: 1, sum: 0.003 });
});

test("summaries beyond the bound are `other`, without a collection", async () => {
  const metrics = createMetrics({ runtime: false, maxSummaries: 2 });
  for (const table of ["a", "b", "c", "d"]) {
    metrics.listener.operationEnded?.(query(template({ collection: table, querySummary: `SELECT ${table}` }), 1));
  }
  const points = await values(metrics, METRIC);
  expect(points.map(([attributes]) => attributes)).toEqual([
    { ...ORDERS, "db.collection.name": "a", "db.query.summary": "SELECT a" },
    { ...ORDERS, "db.collection.name": "b", "db.query.summary": "SELECT b" },
    expect.not.objectContaining({ "db.collection.name": expect.anything() }),
  ]);
  expect(points[2]?.[0]).toMatchObject({ "db.query.summary": "other" });
  expect(points[2]?.[1]).toMatchObject({ count: 2 });
});

test("series are bounded for the life of the process; the rest is one series, and nothing is lost", async () => {
  const metrics = createMetrics({ runtime: false, maxSeriesPerMetric: 10 });
  const refused = () => overflowOf(METRIC);
  const before = refused();
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 20; n++) {
      metrics.listener.operationEnded?.(query(template({ namespace: `tenant_${round}_${n}` }), 1));
    }
    const points = await values(metrics, METRIC);
    expect(points).toHaveLength(10);
    expect(points.at(-1)?.[0]).toEqual({ "otel.metric.overflow": true });
    expect(points.at(-1)?.[1]).toMatchObject({ count: 20 * (round + 1) - 9 });
  }
  expect(refused() - before).toBe(51);
});

function overflowOf(label: string): number {
  return [...selfCounters()].find(({ value }) => value === label)?.total ?? 0;
}
