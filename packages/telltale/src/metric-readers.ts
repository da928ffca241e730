import {
  ConsoleMetricExporter,
  type MetricProducer,
  type MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from "@opentelemetry/sdk-metrics";
import { say } from "@telltale/core";
import { createPrometheusReader } from "@telltale/exporter-prometheus";
import { ignoreServer } from "@telltale/instrumentation-http";
import type { MetricsExporterName, SourceOptions } from "./config/options.js";
import { createMetricExporter, destinationOf } from "./otlp/exporters.js";
import type { Role } from "./role.js";

/** The ways of metrics out of the process. */
export interface MetricReaders {
  readonly list: readonly MetricReader[];
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
  producer: MetricProducer,
): MetricReaders {
  const names = new Set<MetricsExporterName>(options.exporters ?? ["prometheus"]);
  names.delete("none");
  // A thread's port would be the process's; its own metrics wait for the merge of several sources.
  if (role === "thread") names.delete("prometheus");
  const list: MetricReader[] = [];
  let url: Promise<string | undefined> = Promise.resolve(undefined);
  for (const name of names) {
    if (name !== "prometheus") {
      const exporter = name === "otlp" ? createMetricExporter(options) : new ConsoleMetricExporter();
      list.push(createPushReader(exporter, options, producer));
      continue;
    }
    const { reader, listening } = createPrometheusReader({
      ...(options.host !== undefined && { host: options.host }),
      ...(options.port !== undefined && { port: options.port }),
      portsToTry: role === "cluster-worker" ? WORKER_PORTS : 1,
      metricProducers: [producer],
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

function createPushReader(
  exporter: PushMetricExporter,
  { intervalMs = INTERVAL_MS }: { intervalMs?: number },
  producer: MetricProducer,
): MetricReader {
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, 30_000),
    metricProducers: [producer],
  });
}
