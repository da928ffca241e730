import { type Attributes, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  createAlwaysRecordSampler,
  type Sampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { addListener, addSpanListener, endOperation, startDatabaseOperation } from "@telltale/core";
import { collectGarbage } from "@telltale/test/memory";
import { expect, test } from "vitest";
import { createMetrics, type HistogramDataPoint, type Metrics, type MetricsOptions } from "../src/index.js";
import { collected, query, sent, served, template } from "./operations.js";

const DB = "db.client.operation.duration";

function tracer(sampler: Sampler = new AlwaysOnSampler()) {
  return new TracerProvider({ sampler }).getTracer("test");
}

/** A program in which sampled queries of known durations end at known times. */
function program(options: MetricsOptions = {}) {
  const metrics = createMetrics({ runtime: false, ...options });
  const orders = template();
  const spans = tracer();
  return {
    metrics,
    /** Returns the id of the query's span. */
    query(ms: number, endMs: number, errorType?: string, span: Span = spans.startSpan("query"), of = orders): string {
      const operation = Object.assign(query(of, ms, errorType), { startMs: endMs - ms, endMs, span });
      metrics.listener.operationEnded?.(operation);
      return span.spanContext().spanId;
    },
    /** Of the series with the most attributes of these, the span ids. */
    async spanIds(attributes: Attributes = {}): Promise<string[]> {
      return (await pointOf(metrics, DB, attributes)).exemplars.map(({ spanId }) => spanId);
    },
  };
}

async function pointOf(metrics: Metrics, metric: string, attributes: Attributes = {}): Promise<HistogramDataPoint> {
  const { points } = await collected(metrics, metric);
  const found = points.find((point) =>
    Object.entries(attributes).every(([key, value]) => point.attributes[key] === value),
  );
  if (found === undefined) throw new Error(`no such series of ${metric}`);
  return found as HistogramDataPoint;
}

test("each bucket has its own: trace id, span id, value, time", async () => {
  const { metrics, query } = program();
  const spans = tracer();
  const [fast, slow, slowest] = ["fast", "slow", "slowest"].map((name) => spans.startSpan(name));
  const before = Date.now();
  const now = performance.now();
  query(4, now, undefined, fast);
  query(400, now, undefined, slow);
  query(60_000, now, undefined, slowest);
  const { exemplars, value } = await pointOf(metrics, DB);
  // Up to 0.005 s, up to 0.5 s, above 10 s.
  expect(value.buckets.counts).toEqual([0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
  expect(exemplars.map(({ value: held, traceId, spanId }) => ({ value: held, traceId, spanId }))).toEqual(
    [fast, slow, slowest].map((span, n) => ({
      value: expect.closeTo([0.004, 0.4, 60][n] as number, 6),
      traceId: span?.spanContext().traceId,
      spanId: span?.spanContext().spanId,
    })),
  );
  for (const { timestamp } of exemplars) {
    const ms = timestamp[0] * 1000 + timestamp[1] / 1e6;
    expect(Math.abs(ms - before)).toBeLessThan(100);
  }
});

test("of one bucket the slowest stays, and makes way after ten seconds", async () => {
  const { query, spanIds } = program();
  const first = query(6, 1_000);
  expect(await spanIds()).toEqual([first]);
  const slowest = query(9, 1_001);
  query(7, 1_002);
  query(9, 1_003);
  expect(await spanIds()).toEqual([slowest]);
  query(8, 10_999);
  expect(await spanIds()).toEqual([slowest]);
  const next = query(6, 11_000);
  expect(await spanIds()).toEqual([next]);
});

test("a failed one stays before a slower one that did not fail", async () => {
  // Failures have series of their own; only the overflow series has both.
  const { query, spanIds } = program({ maxSeriesPerMetric: 1 });
  const overflow = { "otel.metric.overflow": true };
  query(8, 1_000);
  const failed = query(6, 1_001, "ECONNRESET");
  query(9, 1_002);
  expect(await spanIds(overflow)).toEqual([failed]);
  const slower = query(7, 1_003, "ECONNRESET");
  query(6, 1_004, "ECONNRESET");
  expect(await spanIds(overflow)).toEqual([slower]);
});

test("only what is sampled: not what is dropped, only recorded, or has no span", async () => {
  const { metrics, query: run, spanIds } = program();
  run(9, 1_000, undefined, tracer(new AlwaysOffSampler()).startSpan("x"));
  run(9, 1_000, undefined, tracer(createAlwaysRecordSampler(new AlwaysOffSampler())).startSpan("x"));
  metrics.listener.operationEnded?.(query(template(), 9));
  expect(await spanIds()).toEqual([]);
  // They leave no mark: a faster one that is sampled is taken.
  const sampled = run(6, 1_001);
  expect(await spanIds()).toEqual([sampled]);
});

test("requests served and sent have them too", async () => {
  const metrics = createMetrics({ runtime: false });
  const spans = ["served", "sent"].map((name) => tracer().startSpan(name));
  metrics.listener.operationEnded?.(served(3, "/orders/:id", { span: spans[0] }));
  metrics.listener.operationEnded?.(sent(3, { span: spans[1] }));
  for (const [n, name] of ["http.server.request.duration", "http.client.request.duration"].entries()) {
    expect((await pointOf(metrics, name)).exemplars).toMatchObject([{ spanId: spans[n]?.spanContext().spanId }]);
  }
});

test("without tracing there are none", async () => {
  const metrics = createMetrics({ runtime: false });
  metrics.listener.operationEnded?.(query(template(), 3));
  expect((await pointOf(metrics, DB)).exemplars).toEqual([]);
});

test("the ids of an operation's own span, when spans are made of operations", async () => {
  const metrics = createMetrics({ runtime: false });
  const provider = new TracerProvider();
  const undo = [addListener(metrics.listener), addSpanListener(provider)];
  try {
    const parent = provider.getTracer("app").startSpan("parent");
    const operation = startDatabaseOperation(template(), undefined, undefined, trace.setSpan(ROOT_CONTEXT, parent));
    endOperation(operation);
    expect((await pointOf(metrics, DB)).exemplars).toMatchObject([
      { traceId: parent.spanContext().traceId, spanId: operation.span?.spanContext().spanId },
    ]);
  } finally {
    for (const step of undo) step();
  }
});

test("neither a span nor its operation is kept, collected or not", async () => {
  const metrics = createMetrics({ runtime: false });
  const spans = tracer();
  const orders = template();
  const kept = [query, served, sent].flatMap((make) => {
    const span = spans.startSpan("x");
    const operation = make === query ? query(orders, 4) : make === served ? served(4, "/") : sent(4);
    operation.span = span;
    metrics.listener.operationStarted?.(operation);
    metrics.listener.operationEnded?.(operation);
    return [new WeakRef<object>(span), new WeakRef<object>(operation)];
  });
  await new Promise(setImmediate);
  collectGarbage();
  expect(kept.map((reference) => reference.deref())).toEqual(kept.map(() => undefined));
  expect((await pointOf(metrics, DB)).exemplars).toHaveLength(1);
});
