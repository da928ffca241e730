import { selfCounters } from "@telltale/core";
import { expect, test } from "vitest";
import { createMetrics, type Metrics } from "../src/index.js";
import { query, sent, served, template, values } from "./operations.js";

const RESULTS = ["hit", "miss", "stale", "error"] as const;

/** Each makes a measurement whose attributes are as good as new for every n up to 10,000. */
const MEASUREMENTS: [metric: string, measure: (metrics: Metrics, n: number) => void][] = [
  [
    "db.client.operation.duration",
    ({ listener }, n) => listener.operationEnded?.(query(template({ namespace: `tenant-${n}` }), 1)),
  ],
  [
    "http.server.request.duration",
    ({ listener }, n) =>
      listener.operationEnded?.(served(1, `/route/${n % 500}`, { statusCode: 200 + Math.floor(n / 500) })),
  ],
  [
    "http.client.request.duration",
    ({ listener }, n) =>
      listener.operationEnded?.(sent(1, { serverAddress: `host-${n % 200}`, serverPort: 1000 + Math.floor(n / 200) })),
  ],
  [
    "telltale.cache.lookups",
    ({ listener }, n) => {
      const result = RESULTS[n % 4] ?? "hit";
      listener.cacheLooked?.({ cache: `cache-${n >> 2}`, result, keys: 1, system: "redis", request: undefined });
    },
  ],
];

test.each(MEASUREMENTS)(
  "%s: 10,000 label sets over many collections are 2,000 series, and nothing is lost",
  async (metric, measure) => {
    const metrics = createMetrics({ runtime: false });
    const before = overflowOf(metric);
    for (let n = 0; n < 10_000; n++) {
      measure(metrics, n);
      if (n % 250 === 249)
        expect(await totalOf(metrics, metric)).toEqual({ series: Math.min(n + 1, 2_000), total: n + 1 });
    }
    expect((await values(metrics, metric)).at(-1)?.[0]).toEqual({ "otel.metric.overflow": true });
    expect(overflowOf(metric) - before).toBe(10_000 - 1_999);
    // Those that were first keep their series, and what was refused stays refused.
    measure(metrics, 0);
    measure(metrics, 9_999);
    const points = await values(metrics, metric);
    expect([points[0], points.at(-1)].map((point) => countOf(point?.[1]))).toEqual([2, 10_000 - 1_999 + 1]);
  },
);

test("a series that begins while a collection rests is of the next one", async () => {
  const metrics = createMetrics({ runtime: false });
  const measure = (n: number) => metrics.listener.operationEnded?.(query(template({ namespace: `tenant-${n}` }), 1));
  for (let n = 0; n < 1_900; n++) measure(n);
  const collecting = metrics.producer.collect();
  measure(1_900);
  const { resourceMetrics } = await collecting;
  const durations = resourceMetrics.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .find(({ descriptor }) => descriptor.name === "db.client.operation.duration");
  expect(durations?.dataPoints).toHaveLength(1_900);
  expect(await values(metrics, "db.client.operation.duration")).toHaveLength(1_901);
});

async function totalOf(metrics: Metrics, metric: string): Promise<{ series: number; total: number }> {
  const points = await values(metrics, metric);
  return { series: points.length, total: points.reduce((sum, [, value]) => sum + countOf(value), 0) };
}

function countOf(value: unknown): number {
  return typeof value === "number" ? value : (value as { count: number }).count;
}

function overflowOf(label: string): number {
  return [...selfCounters()].find(({ value }) => value === label)?.total ?? 0;
}
