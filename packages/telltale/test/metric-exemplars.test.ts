import { ROOT_CONTEXT, type TracerProvider } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import { TracerProvider as SdkTracerProvider } from "@opentelemetry/sdk-trace";
import {
  addListener,
  addSpanListener,
  contextOf,
  endOperation,
  startDatabaseOperation,
  startHttpClientOperation,
} from "@telltale/core";
import { createMetrics, type HistogramDataPoint } from "@telltale/metrics";
import { template } from "@telltale/test/template";
import { createSampler, createTracerProvider } from "@telltale/tracing";
import { afterEach, expect, test } from "vitest";

const undo: (() => unknown)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

/** A sent request that makes a query, and the exemplars of both. */
async function exemplarsOf(provider: TracerProvider) {
  const metrics = createMetrics({ runtime: false });
  undo.push(addListener(metrics.listener), addSpanListener(provider));
  const start = { method: "GET", originalMethod: undefined, url: "", serverAddress: "pay.example", serverPort: 443 };
  const outer = startHttpClientOperation(start, ROOT_CONTEXT);
  const inner = startDatabaseOperation(template(), undefined, undefined, contextOf(outer));
  endOperation(inner);
  endOperation(outer);
  const { resourceMetrics } = await metrics.producer.collect();
  const exemplars = resourceMetrics.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .filter(({ descriptor }) => /duration/.test(descriptor.name))
    .flatMap(({ dataPoints }) => (dataPoints as HistogramDataPoint[]).flatMap((point) => point.exemplars));
  return { exemplars, spans: [outer, inner].map(({ span }) => span?.spanContext()) };
}

test.each([
  ["telltale", () => createTracerProvider({ resource: emptyResource() })],
  ["sdk", () => new SdkTracerProvider()],
])("engine %s: the spans of operations are the exemplars of their durations", async (_, createProvider) => {
  const { exemplars, spans } = await exemplarsOf(createProvider());
  expect(exemplars.map(({ traceId, spanId }) => ({ traceId, spanId }))).toEqual(
    spans.map((context) => ({ traceId: context?.traceId, spanId: context?.spanId })),
  );
  expect(exemplars.map(({ spanId }) => spanId)).toEqual([
    expect.stringMatching(/^[0-9a-f]{16}$/),
    expect.stringMatching(/^[0-9a-f]{16}$/),
  ]);
});

test("what the engine does not sample is no exemplar", async () => {
  const sampler = createSampler("always_off");
  const { exemplars } = await exemplarsOf(createTracerProvider({ resource: emptyResource(), sampler }));
  expect(exemplars).toEqual([]);
});
