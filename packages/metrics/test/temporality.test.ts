import {
  AggregationTemporality,
  InMemoryMetricExporter,
  InstrumentType,
  type MetricData,
  MeterProvider,
  type MetricProducer,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { TracerProvider } from "@opentelemetry/sdk-trace";
import { addListener, count, registerPool } from "@telltale/core";
import { array, assert, asyncProperty, nat, oneof, record } from "fast-check";
import { expect, test } from "vitest";
import { createMetrics, type HistogramDataPoint, selectTemporality, type TemporalityPreference } from "../src/index.js";
import { query, served, template } from "./operations.js";

const { COUNTER, GAUGE, HISTOGRAM, OBSERVABLE_COUNTER, OBSERVABLE_GAUGE, OBSERVABLE_UP_DOWN_COUNTER, UP_DOWN_COUNTER } =
  InstrumentType;

const DB = "db.client.operation.duration";
const LOOKUPS = "telltale.cache.lookups";

async function read(producer: MetricProducer): Promise<(name: string) => MetricData | undefined> {
  const { resourceMetrics, errors } = await producer.collect();
  expect(errors).toEqual([]);
  const all = resourceMetrics.scopeMetrics.flatMap((scope): MetricData[] => scope.metrics);
  return (name) => all.find(({ descriptor }) => descriptor.name === name);
}

function histogramsOf(data: MetricData | undefined): readonly HistogramDataPoint[] {
  return (data?.dataPoints ?? []) as HistogramDataPoint[];
}

/** Attributes aside. */
function valuesOf(data: MetricData | undefined): unknown[] {
  return data?.dataPoints.map(({ value }) => value) ?? [];
}

// https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration
test.each<[TemporalityPreference, InstrumentType[]]>([
  ["cumulative", []],
  ["delta", [COUNTER, OBSERVABLE_COUNTER, HISTOGRAM]],
  ["lowmemory", [COUNTER, HISTOGRAM]],
])("%s: delta for %o", (preference, deltas) => {
  const select = selectTemporality(preference);
  const all = [
    COUNTER,
    HISTOGRAM,
    OBSERVABLE_COUNTER,
    UP_DOWN_COUNTER,
    OBSERVABLE_UP_DOWN_COUNTER,
    GAUGE,
    OBSERVABLE_GAUGE,
  ];
  expect(new Set(all.filter((type) => select(type) === AggregationTemporality.DELTA))).toEqual(new Set(deltas));
});

test("a reader of deltas gets what came since it last read, another reader everything", async () => {
  const metrics = createMetrics({ runtime: false });
  const delta = metrics.producerFor(selectTemporality("delta"));
  const orders = template();
  const run = (...durations: number[]) => {
    for (const ms of durations) metrics.listener.operationEnded?.(query(orders, ms));
  };
  run(1, 40);
  const first = (await read(delta))(DB);
  expect(first).toMatchObject({
    aggregationTemporality: AggregationTemporality.DELTA,
    dataPoints: [{ value: { count: 2, sum: 0.041, min: 0.001, max: 0.04 } }],
  });

  run(3, 2);
  // Neither this reader …
  expect(valuesOf((await read(metrics.producer))(DB))).toMatchObject([
    { count: 4, sum: expect.closeTo(0.046, 9), min: 0.001, max: 0.04 },
  ]);
  run(700);
  const second = (await read(delta))(DB);
  // … nor the values of before are in this.
  expect(second?.dataPoints).toMatchObject([
    {
      attributes: first?.dataPoints[0]?.attributes,
      startTime: first?.dataPoints[0]?.endTime,
      value: {
        buckets: { counts: [0, 2, 0, 0, 0, 0, 1, 0, 0, 0] },
        count: 3,
        sum: expect.closeTo(0.705, 9),
        min: 0.002,
        max: 0.7,
      },
    },
  ]);
  expect((await read(delta))(DB)).toBeUndefined();
  run(5);
  expect(valuesOf((await read(delta))(DB))).toMatchObject([
    { count: 1, sum: expect.closeTo(0.005, 9), min: 0.005, max: 0.005 },
  ]);
  const everything = (await read(metrics.producer))(DB);
  expect(everything?.aggregationTemporality).toBe(AggregationTemporality.CUMULATIVE);
  expect(valuesOf(everything)).toMatchObject([{ count: 6, sum: expect.closeTo(0.751, 9), min: 0.001, max: 0.7 }]);
});

test("two readers of deltas do not take from each other", async () => {
  const metrics = createMetrics({ runtime: false });
  const [often, rarely] = [1, 2].map(() => metrics.producerFor(selectTemporality("delta")));
  if (often === undefined || rarely === undefined) throw new Error("two were asked for");
  const orders = template();
  const lookup = { cache: "product", result: "hit", system: "redis", request: undefined } as const;
  const sums = { often: 0, rarely: 0, keys: 0 };
  for (let round = 1; round <= 12; round++) {
    metrics.listener.operationEnded?.(query(orders, round));
    metrics.listener.cacheLooked?.({ ...lookup, keys: round });
    const found = await read(often);
    expect(valuesOf(found(DB))).toMatchObject([{ count: 1, min: round / 1000, max: round / 1000 }]);
    expect(valuesOf(found(LOOKUPS))).toEqual([round]);
    sums.often++;
    if (round % 4 > 0) continue;
    const late = await read(rarely);
    // Of four rounds the first and the last.
    expect(valuesOf(late(DB))).toMatchObject([{ count: 4, min: (round - 3) / 1000, max: round / 1000 }]);
    sums.rarely += 4;
    sums.keys += valuesOf(late(LOOKUPS))[0] as number;
  }
  expect(sums).toEqual({ often: 12, rarely: 12, keys: 78 });
});

const call = record({ to: nat({ max: 4 }), ms: nat({ max: 2_000 }) });
const reading = record({ by: nat({ max: 2 }) });

test("whatever the order of calls and collections, the deltas of each reader add up to the whole", async () => {
  await assert(
    asyncProperty(array(oneof({ weight: 4, arbitrary: call }, reading), { maxLength: 100 }), async (steps) => {
      const metrics = createMetrics({ runtime: false });
      const templates = Array.from({ length: 5 }, (_, n) => template({ namespace: `shop-${n}` }));
      const readers = [0, 1, 2].map(() => ({
        producer: metrics.producerFor(selectTemporality("delta")),
        counts: new Map<unknown, number[]>(),
      }));
      for (const step of steps) {
        if ("by" in step) await addUp(readers[step.by]);
        else metrics.listener.operationEnded?.(query(templates[step.to] ?? template(), step.ms));
      }
      for (const reader of readers) await addUp(reader);
      const whole = new Map(
        histogramsOf((await read(metrics.producer))(DB)).map(({ attributes, value }) => [
          attributes["db.namespace"],
          value.buckets.counts,
        ]),
      );
      for (const { counts } of readers) expect(counts).toEqual(whole);
    }),
    { numRuns: 50 },
  );

  async function addUp(reader: { producer: MetricProducer; counts: Map<unknown, number[]> } | undefined) {
    if (reader === undefined) return;
    for (const { attributes, value } of histogramsOf((await read(reader.producer))(DB))) {
      const key = attributes["db.namespace"];
      const before = reader.counts.get(key) ?? [];
      reader.counts.set(
        key,
        value.buckets.counts.map((held, n) => held + (before[n] ?? 0)),
      );
    }
  }
});

test("gauges and up-down counters are what they are; observed counters are deltas unless memory is low", async () => {
  const metrics = createMetrics();
  const undo = addListener(metrics.listener);
  const pool = registerPool({ name: "main", system: "postgresql", read: () => ({ used: 3, idle: 1, pending: 0 }) });
  try {
    const delta = metrics.producerFor(selectTemporality("delta"));
    const low = metrics.producerFor(selectTemporality("lowmemory"));
    metrics.listener.operationStarted?.(served(1, "/"));
    count("telltale.spans", "telltale.outcome", "dropped", 5);
    for (let round = 0; round < 3; round++) {
      const [ofDelta, ofLow] = [await read(delta), await read(low)];
      for (const found of [ofDelta, ofLow]) {
        expect(found("http.server.active_requests")).toMatchObject({
          aggregationTemporality: AggregationTemporality.CUMULATIVE,
          dataPoints: [{ value: 1 }],
        });
        expect(valuesOf(found("db.client.connection.count"))).toEqual([3, 1]);
        expect(valuesOf(found("process.uptime"))[0]).toBeGreaterThan(0);
      }
      expect(valuesOf(ofDelta("telltale.spans"))).toEqual(round === 0 ? [5] : []);
      expect(valuesOf(ofLow("telltale.spans"))).toEqual([5]);
      expect(ofLow("telltale.spans")?.aggregationTemporality).toBe(AggregationTemporality.CUMULATIVE);
    }
    count("telltale.spans", "telltale.outcome", "dropped", 2);
    expect(valuesOf((await read(delta))("telltale.spans"))).toEqual([2]);
    expect(valuesOf((await read(low))("telltale.spans"))).toEqual([7]);
  } finally {
    pool.close();
    undo();
    metrics.stop();
  }
});

test("the successor of an ended pool owes nothing to it", async () => {
  const metrics = createMetrics({ runtime: false });
  const undo = addListener(metrics.listener);
  const delta = metrics.producerFor(selectTemporality("delta"));
  const open = () =>
    registerPool({ name: "main", system: "postgresql", read: () => ({ used: 0, idle: 0, pending: 0 }) });
  try {
    const first = open();
    for (let n = 0; n < 5; n++) first.timedOut();
    expect(valuesOf((await read(delta))("db.client.connection.timeouts"))).toEqual([5]);
    first.close();
    expect((await read(delta))("db.client.connection.timeouts")).toBeUndefined();
    const second = open();
    second.timedOut();
    expect(valuesOf((await read(delta))("db.client.connection.timeouts"))).toEqual([1]);
    second.close();
  } finally {
    undo();
  }
});

test("the exemplars of a delta are those of its time", async () => {
  const metrics = createMetrics({ runtime: false });
  const delta = metrics.producerFor(selectTemporality("delta"));
  const tracer = new TracerProvider().getTracer("test");
  const orders = template();
  const run = (ms: number) => {
    const span = tracer.startSpan("query");
    const endMs = performance.now();
    metrics.listener.operationEnded?.(Object.assign(query(orders, ms), { startMs: endMs - ms, endMs, span }));
    return span.spanContext().spanId;
  };
  const spanIds = async (producer: MetricProducer) =>
    histogramsOf((await read(producer))(DB)).flatMap(({ exemplars }) => exemplars.map(({ spanId }) => spanId));
  const fast = run(2);
  expect(await spanIds(delta)).toEqual([fast]);
  const slow = run(20);
  expect(await spanIds(delta)).toEqual([slow]);
  expect(await spanIds(metrics.producer)).toEqual([fast, slow]);
});

test("through the SDK's own reader and exporter, beside a cumulative one", async () => {
  const metrics = createMetrics({ runtime: false });
  const select = selectTemporality("delta");
  const exporters = [
    new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    new InMemoryMetricExporter(AggregationTemporality.DELTA),
  ] as const;
  const readers = exporters.map(
    (exporter, n) =>
      new PeriodicExportingMetricReader({
        exporter,
        exportIntervalMillis: 60_000,
        metricProducers: [n === 0 ? metrics.producer : metrics.producerFor(select)],
      }),
  );
  const provider = new MeterProvider({ readers });
  const orders = template();
  for (let round = 0; round < 3; round++) {
    metrics.listener.operationEnded?.(query(orders, 1));
    metrics.listener.operationEnded?.(query(orders, 1));
    await Promise.all(readers.map((reader) => reader.forceFlush()));
  }
  const [all, added] = exporters.map((exporter) =>
    exporter.getMetrics().map(({ scopeMetrics }) => {
      const data = scopeMetrics.flatMap((scope) => scope.metrics).find(({ descriptor }) => descriptor.name === DB);
      return histogramsOf(data).map(({ value }) => value.count);
    }),
  );
  expect([all, added]).toEqual([
    [[2], [4], [6]],
    [[2], [2], [2]],
  ]);
  await provider.shutdown();
});
