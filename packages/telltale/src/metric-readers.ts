import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import type {
  AggregationTemporalitySelector,
  IMetricReader,
  PushMetricExporter,
  ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import type { SidePage } from "@telltale/exporter-prometheus";
import { type Metrics, selectTemporality } from "@telltale/metrics";
import type { MetricsExporterName, SourceOptions } from "./config/options.js";
import { readNumber } from "./environment-number.js";
import { createMetricExporter, destinationOf, type EndableExporter, OTLP_TIMEOUT_MS } from "./otlp/exporters.js";
import type { Outlet } from "./outlet.js";
import type { Role } from "./role.js";
import { createScrapedReader } from "./scraped-reader.js";
import { preferredTemporality } from "./temporality.js";

const require = createRequire(import.meta.url);

/** The ways of metrics out of the process. */
export interface MetricReaders {
  readonly list: readonly IMetricReader[];
  /** Of those that push, and of a process whose metrics another one serves. */
  readonly outlets: readonly Outlet[];
  /** Where Prometheus can read, once it can; undefined when it cannot. */
  readonly url: Promise<string | undefined>;
  /** For the start-up line, where there is no URL. */
  readonly destination: string;
  /** The process ends in this moment: what `read` finds for a reader goes to the process that serves it. */
  end(read: (reader: IMetricReader) => readonly ScopeMetrics[]): void;
  /** Before the readers shut down. */
  close(): Promise<void>;
}

const INTERVAL_MS = 60_000;
const TIMEOUT_MS = 30_000;
/** What has come since a flush that is as recent as this is not worth another. */
const RECENT_MS = 1_000;

export function createMetricReaders(
  options: NonNullable<SourceOptions["metrics"]>,
  role: Role,
  metrics: Metrics,
  service: string,
  page?: SidePage,
): MetricReaders {
  const names = new Set<MetricsExporterName>(options.exporters ?? ["prometheus"]);
  names.delete("none");
  const list: IMetricReader[] = [];
  const outlets: Outlet[] = [];
  const scraped = names.has("prometheus") ? createScrapedReader(options, role, metrics, service, page) : undefined;
  if (scraped !== undefined) list.push(scraped.reader);
  if (scraped?.outlet !== undefined) outlets.push(scraped.outlet);
  for (const name of names) {
    if (name === "prometheus") continue;
    const exporter = createPushExporter(name, options);
    const reader = createPushReader(exporter, options, metrics);
    list.push(reader);
    // A delivery by gRPC that is under way would hold the process open.
    if (name === "console" || options.protocol !== "grpc") outlets.push(outletOf(reader, exporter));
  }
  const destinations = [...names].map((name) =>
    name === "otlp" ? destinationOf(options, "metrics") : name === "prometheus" ? "no endpoint" : name,
  );
  return {
    list,
    outlets,
    url: scraped?.url ?? Promise.resolve(undefined),
    destination: destinations.join(" and ") || "off",
    end: (read) => scraped?.end(() => read(scraped.reader)),
    close: async () => scraped?.close(),
  };
}

/** `OTEL_METRIC_EXPORT_TIMEOUT`, default 30,000; no longer than the time between two exports, so that they never pile up. */
function exportTimeoutMs({ intervalMs = INTERVAL_MS }: NonNullable<SourceOptions["metrics"]>): number {
  return Math.min(intervalMs, readNumber("OTEL_METRIC_EXPORT_TIMEOUT") ?? TIMEOUT_MS);
}

type PushExporter = PushMetricExporter & EndableExporter;

// What pushes comes from the SDK, which loads for it.
const loadSdk = () => require("@opentelemetry/sdk-metrics") as typeof import("@opentelemetry/sdk-metrics");

function createPushReader(
  exporter: PushExporter,
  options: NonNullable<SourceOptions["metrics"]>,
  metrics: Metrics,
): IMetricReader {
  const otherwise = selectTemporality("cumulative");
  const select: AggregationTemporalitySelector = (type) =>
    exporter.selectAggregationTemporality?.(type) ?? otherwise(type);
  return new (loadSdk().PeriodicExportingMetricReader)({
    exporter,
    exportIntervalMillis: options.intervalMs ?? INTERVAL_MS,
    exportTimeoutMillis: exportTimeoutMs(options),
    metricProducers: [metrics.producerFor(select)],
  });
}

/** Only a collection would tell whether there is anything new, so there always is, but right after a flush. */
function outletOf(reader: IMetricReader, exporter: PushExporter): Outlet {
  let flushedMs = -Infinity;
  return {
    hasMore: () => performance.now() - flushedMs > RECENT_MS,
    delivering: () => exporter.delivering?.(),
    async forceFlush() {
      try {
        await reader.forceFlush();
      } finally {
        flushedMs = performance.now();
      }
    },
    hurry: () => exporter.hurry?.() ?? (() => {}),
  };
}

function createPushExporter(name: MetricsExporterName, options: NonNullable<SourceOptions["metrics"]>): PushExporter {
  if (name !== "otlp") return new (loadSdk().ConsoleMetricExporter)();
  const timeoutMs = Math.min(options.timeoutMs ?? OTLP_TIMEOUT_MS, exportTimeoutMs(options));
  const exporter = createMetricExporter({ ...options, timeoutMs });
  exporter.selectAggregationTemporality ??= preferredTemporality();
  return exporter;
}
