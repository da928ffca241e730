import { AggregationTemporality, DataPointType, type MetricProducer } from "@opentelemetry/sdk-metrics";
import { count, METRICS } from "@telltale/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { createMetrics, type NumberDataPoint } from "../src/index.js";
import { collected, FINDING, values } from "./operations.js";

test("cache lookups count keys", async () => {
  const metrics = createMetrics({ runtime: false });
  const lookup = (cache: string, result: "hit" | "miss", keys: number, system?: string) =>
    metrics.listener.cacheLooked?.({ cache, result, keys, system, request: undefined });
  lookup("product", "hit", 2, "redis");
  lookup("product", "miss", 1, "redis");
  lookup("product", "hit", 3, "redis");
  lookup("product", "hit", 5);
  const { data } = await collected(metrics, "telltale.cache.lookups");
  expect(data).toMatchObject({ dataPointType: DataPointType.SUM, isMonotonic: true });
  const redis = { "telltale.cache.name": "product", "db.system.name": "redis" };
  expect(await values(metrics, "telltale.cache.lookups")).toEqual([
    [{ ...redis, "telltale.cache.result": "hit" }, 5],
    [{ ...redis, "telltale.cache.result": "miss" }, 1],
    [{ "telltale.cache.name": "product", "telltale.cache.result": "hit" }, 5],
  ]);
});

test("the last finding whose trace was recorded is the exemplar of its counters, for deltas only while it is new", async () => {
  const metrics = createMetrics({ runtime: false });
  const deltas = metrics.producerFor(() => AggregationTemporality.DELTA);
  const now = Date.now();
  const traced = (spanId: string) => ({
    ...FINDING,
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId,
    sampled: true,
  });
  const exemplars = async (producer: MetricProducer) => {
    const { resourceMetrics } = await producer.collect();
    return resourceMetrics.scopeMetrics
      .flatMap((scope) => scope.metrics)
      .filter(({ descriptor }) => ["telltale.findings", "telltale.db.slow_queries"].includes(descriptor.name))
      .flatMap(({ dataPoints }) => (dataPoints as NumberDataPoint[]).map((point) => point.exemplars));
  };
  metrics.listener.findingMade?.({ ...traced("b7ad6b7169203331"), time: now + 1000 });
  metrics.listener.findingMade?.({ ...traced("00f067aa0ba902b7"), time: now + 2500 });
  metrics.listener.findingMade?.({ ...traced("ffffffffffffffff"), sampled: false });
  metrics.listener.findingMade?.(FINDING);
  const [seconds, rest] = [Math.floor((now + 2500) / 1000), ((now + 2500) % 1000) * 1e6];
  const last = { value: 1, timestamp: [seconds, rest], traceId: traced("").traceId, spanId: "00f067aa0ba902b7" };
  expect(await exemplars(metrics.producer)).toEqual([[last], [last]]);
  expect(await exemplars(deltas)).toEqual([[last], [last]]);
  metrics.listener.findingMade?.({ ...FINDING, time: now + 9000 });
  vi.useFakeTimers({ now: now + 10_000, toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  await deltas.collect();
  metrics.listener.findingMade?.({ ...FINDING, time: now + 11_000 });
  expect(await exemplars(deltas)).toEqual([[], []]);
  expect(await exemplars(metrics.producer)).toEqual([[last], [last]]);
});

test("findings are counted by kind and route, slow queries by what was slow as well", async () => {
  const metrics = createMetrics({ runtime: false });
  metrics.listener.findingMade?.(FINDING);
  metrics.listener.findingMade?.({ ...FINDING, route: undefined });
  metrics.listener.findingMade?.({ ...FINDING, kind: "n_plus_one", reason: undefined });
  metrics.listener.findingMade?.({ ...FINDING, kind: "n_plus_one", reason: undefined, accepted: true });
  const postgres = { "db.system.name": "postgresql" };
  expect(await values(metrics, "telltale.findings")).toEqual([
    [{ ...postgres, "telltale.finding.kind": "slow_query", "http.route": "/orders" }, 1],
    [{ ...postgres, "telltale.finding.kind": "slow_query" }, 1],
    [{ ...postgres, "telltale.finding.kind": "n_plus_one", "http.route": "/orders" }, 1],
    [
      {
        ...postgres,
        "telltale.finding.kind": "n_plus_one",
        "http.route": "/orders",
        "telltale.finding.accepted": "true",
      },
      1,
    ],
  ]);
  expect(await values(metrics, "telltale.db.slow_queries")).toEqual([
    [
      {
        ...postgres,
        "db.namespace": "shop",
        "db.query.summary": "SELECT orders",
        "telltale.slow.reason": "threshold",
      },
      2,
    ],
  ]);
});

test("Telltale's own counters are read at each collection", async () => {
  const metrics = createMetrics({ runtime: false });
  count("telltale.spans", "telltale.outcome", "dropped", 3);
  expect(await values(metrics, "telltale.spans")).toEqual([[{ "telltale.outcome": "dropped" }, 3]]);
  count("telltale.spans", "telltale.outcome", "dropped");
  expect(await values(metrics, "telltale.spans")).toEqual([[{ "telltale.outcome": "dropped" }, 4]]);
});

test("every name in use is in the registry", async () => {
  const metrics = createMetrics();
  metrics.listener.findingMade?.(FINDING);
  const { resourceMetrics } = await metrics.producer.collect();
  metrics.stop();
  const registered = new Map(Object.values(METRICS).map(({ name, unit }) => [name, unit]));
  const found = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  expect(found.length).toBeGreaterThan(10);
  for (const { descriptor } of found) expect(registered.get(descriptor.name), descriptor.name).toBe(descriptor.unit);
});
