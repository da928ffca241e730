import { JsonMetricsSerializer, ProtobufMetricsSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { decodeMetrics, type MetricsRequest, parseMetrics } from "@telltale/otlp";
import { expect, test } from "vitest";
import { addExemplars, addJsonExemplars } from "../src/otlp/exemplars.js";

const ids = (n: number) => ({
  traceId: n.toString(16).padStart(32, "a"),
  spanId: n.toString(16).padStart(16, "b"),
});
const exemplar = (n: number) => ({
  value: n + 0.5,
  timestamp: [1_800_000_000 + n, 123] as [number, number],
  ...ids(n),
});
const read = (n: number) => ({
  timeUnixNano: BigInt(1_800_000_000 + n) * 1_000_000_000n + 123n,
  asDouble: n + 0.5,
  ...ids(n),
});

/** What the SDK collects of an app's own instruments, some of its points with exemplars: by name and attribute. */
async function collect(given: Record<string, readonly number[]>): Promise<ResourceMetrics> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e6 });
  const provider = new MeterProvider({
    readers: [reader],
    resource: resourceFromAttributes({ text: "é".repeat(300) }),
  });
  const meter = provider.getMeter("app");
  meter.createObservableGauge("gauge").addCallback((result) => result.observe(1));
  const requests = meter.createCounter("requests");
  const duration = meter.createHistogram("duration", { unit: "s" });
  for (const route of ["a", "b", "c"]) {
    requests.add(3, { route });
    duration.record(0.1, { route });
  }
  meter.createHistogram("size").record(10, { route: "d" });
  await reader.forceFlush();
  const [metrics] = exporter.getMetrics();
  await provider.shutdown();
  if (metrics === undefined) throw new Error("nothing was collected");
  for (const metric of metrics.scopeMetrics.flatMap((scope) => scope.metrics)) {
    if (metric.dataPointType === DataPointType.GAUGE) continue;
    for (const point of metric.dataPoints) {
      const numbers = given[`${metric.descriptor.name} ${String(point.attributes["route"])}`];
      if (numbers !== undefined) Object.assign(point, { exemplars: numbers.map(exemplar) });
    }
  }
  return metrics;
}

/** Exemplars by name and attribute, and all the rest. */
function divide(request: MetricsRequest) {
  const found: Record<string, unknown> = {};
  const rest = structuredClone(request);
  for (const { name, sum, histogram } of (rest.resourceMetrics ?? []).flatMap((one) =>
    (one.scopeMetrics ?? []).flatMap(({ metrics = [] }) => metrics),
  )) {
    for (const point of sum?.dataPoints ?? histogram?.dataPoints ?? []) {
      const { exemplars } = point;
      if (exemplars !== undefined) found[`${name} ${point.attributes?.[0]?.value?.stringValue}`] = exemplars;
      delete (point as { exemplars?: unknown }).exemplars;
    }
  }
  return { found, rest };
}

const FORMS = [
  ["protobuf", ProtobufMetricsSerializer, addExemplars, decodeMetrics],
  ["JSON", JsonMetricsSerializer, addJsonExemplars, (bytes: Uint8Array) => parseMetrics(Buffer.from(bytes).toString())],
] as const;

test.each(FORMS)(
  "%s: exemplars stand with their points, and nothing else changes",
  async (_, serializer, add, decode) => {
    const many = Array.from({ length: 20 }, (__, n) => n);
    const metrics = await collect({ "requests b": [7], "duration a": [1], "duration c": many, "size d": [9] });
    const plain = serializer.serializeRequest(metrics) ?? new Uint8Array();
    const { found, rest } = divide(decode(add(plain, metrics)));
    expect(found).toEqual({
      "requests b": [read(7)],
      "duration a": [read(1)],
      "duration c": many.map(read),
      "size d": [read(9)],
    });
    expect(rest).toEqual(decode(plain));
  },
);

test.each(FORMS)("%s: without exemplars it stays as it is", async (_, serializer, add, decode) => {
  const metrics = await collect({});
  const plain = serializer.serializeRequest(metrics) ?? new Uint8Array();
  expect(decode(add(plain, metrics))).toEqual(decode(plain));
});
