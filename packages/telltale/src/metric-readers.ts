import { createRequire } from "node:module";
import type { AggregationTemporalitySelector, IMetricReader, PushMetricExporter } from "@opentelemetry/sdk-metrics";
import { say } from "@telltale/core";
import { createPrometheusReader } from "@telltale/exporter-prometheus";
import { ignoreServer } from "@telltale/instrumentation-http";
import { type Metrics, selectTemporality } from "@telltale/metrics";
import type { MetricsExporterName, SourceOptions } from "./config/options.js";
import { createMetricExporter, destinationOf } from "./otlp/exporters.js";
import type { Role } from "./role.js";
import { preferredTemporality } from "./temporality.js";

const require = createRequire(import.meta.url);

/** The ways of metrics out of the process. */
export interface MetricReaders {
  readonly list: readonly IMetricReader[];
  /** Where Prometheus can read, once it can; undefined when it cannot. */
  readonly url: Promise<string | undefined>;
  /** For the start-up line, where there is no URL. */
  readonly destination: string;
}

/** Ports that cluster workers try, one after the other, from the configured one on. */
const WORKER_PORTS = 64;
const INTERVAL_MS = 60_000;

export function createMetricReaders(
  options: NonNullable<SourceOptions["metrics"]>,
  role: Role,
  metrics: Metrics,
): MetricReaders {
  const names = new Set<MetricsExporterName>(options.exporters ?? ["prometheus"]);
  names.delete("none");
  // A thread's port would be the process's; its own metrics wait for the merge of several sources.
  if (role === "thread") names.delete("prometheus");
  const list: IMetricReader[] = [];
  let url: Promise<string | undefined> = Promise.resolve(undefined);
  for (const name of names) {
    if (name !== "prometheus") {
      list.push(createPushReader(name, options, metrics));
      continue;
    }
    const { reader, listening } = createPrometheusReader({
      ...(options.host !== undefined && { host: options.host }),
      ...(options.port !== undefined && { port: options.port }),
      portsToTry: role === "cluster-worker" ? WORKER_PORTS : 1,
      metricProducers: [metrics.producer],
      onServer: ignoreServer,
    });
    list.push(reader);
    url = listening.then((result) => {
      if ("url" in result) return result.url;
      say("info", result.error);
      return undefined;
    });
  }
  const destinations = [...names].map((name) =>
    name === "otlp" ? destinationOf(options, "metrics") : name === "prometheus" ? "no endpoint" : name,
  );
  return { list, url, destination: destinations.join(" and ") || "off" };
}

/** What pushes comes from the SDK, which loads for it. */
function createPushReader(
  name: MetricsExporterName,
  options: NonNullable<SourceOptions["metrics"]>,
  metrics: Metrics,
): IMetricReader {
  const sdk = require("@opentelemetry/sdk-metrics") as typeof import("@opentelemetry/sdk-metrics");
  const { intervalMs = INTERVAL_MS } = options;
  const exporter: PushMetricExporter = name === "otlp" ? createOtlpExporter(options) : new sdk.ConsoleMetricExporter();
  const otherwise = selectTemporality("cumulative");
  const select: AggregationTemporalitySelector = (type) =>
    exporter.selectAggregationTemporality?.(type) ?? otherwise(type);
  return new sdk.PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, 30_000),
    metricProducers: [metrics.producerFor(select)],
  });
}

function createOtlpExporter(options: NonNullable<SourceOptions["metrics"]>): PushMetricExporter {
  const exporter = createMetricExporter(options);
  exporter.selectAggregationTemporality ??= preferredTemporality();
  return exporter;
}
