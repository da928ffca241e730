import { emptyResource } from "@opentelemetry/resources";
import type { CollectionResult, MetricData, MetricProducer } from "@opentelemetry/sdk-metrics";
import { type Listener, VERSION } from "@telltale/core";
import { createBounds } from "./bounds.js";
import { createDatabaseMetrics } from "./database-metrics.js";
import { createEventCounts } from "./event-counts.js";
import { createHttpMetrics } from "./http-metrics.js";
import { createPoolMetrics } from "./pool-metrics.js";
import { watchRuntime } from "./runtime-metrics.js";
import { collectSelfMetrics } from "./self-metrics.js";
import { toHrTime } from "./time.js";

export interface MetricsOptions {
  /** The most series of one metric in the process's life; what comes after is counted in one series with `otel.metric.overflow`. Default 2000. */
  maxSeriesPerMetric?: number;
  /** The most different `db.query.summary`; what comes after is `other`. Default 200. */
  maxSummaries?: number;
  /** Event loop, garbage collector, heap and CPU. Default true. */
  runtime?: boolean;
}

export interface Metrics {
  /** Counts what it hears; to be added with `addListener`. */
  readonly listener: Listener;
  /**
   * For the `metricProducers` of the SDK's readers. Everything is cumulative. The reader puts its MeterProvider's resource in
   * place of the producer's, which is empty.
   */
  readonly producer: MetricProducer;
  /** Ends the watching of the runtime. What was counted can still be collected. */
  stop(): void;
}

/**
 * The metrics of all operations, sampled or not. They are kept here and not in the SDK's instruments, which hash the
 * attributes of every measurement: a series is found once per query template and then fed directly.
 */
export function createMetrics({
  maxSeriesPerMetric = 2000,
  maxSummaries = 200,
  runtime = true,
}: MetricsOptions = {}): Metrics {
  const bounds = createBounds(maxSummaries);
  const database = createDatabaseMetrics(maxSeriesPerMetric, bounds);
  const http = createHttpMetrics(maxSeriesPerMetric, bounds);
  const pools = createPoolMetrics(maxSeriesPerMetric);
  const events = createEventCounts(maxSeriesPerMetric, bounds);
  const watch = runtime ? watchRuntime() : undefined;
  const sources = [http.collect, database.collect, pools.collect, events.collect, watch?.collect, collectSelfMetrics];

  const listener: Listener = {
    name: "metrics",
    operationStarted(operation) {
      if (operation.kind === "http.server") http.serverStarted(operation);
    },
    operationEnded(operation) {
      if (operation.kind === "database") database.ended(operation);
      else if (operation.kind === "http.server") http.serverEnded(operation);
      else http.clientEnded(operation);
    },
    cacheLooked: events.looked,
    poolTimed: pools.timed,
    poolTimedOut: pools.timedOut,
    findingMade: events.found,
  };

  async function collect(): Promise<CollectionResult> {
    const now = toHrTime(Date.now());
    const metrics: MetricData[] = [];
    const errors: unknown[] = [];
    // One source that fails (a user's own pool that throws) must not hide the others.
    for (const source of sources) {
      try {
        metrics.push(...(source?.(now) ?? []));
      } catch (error) {
        errors.push(error);
      }
    }
    const scopeMetrics = metrics.length === 0 ? [] : [{ scope: { name: "telltale", version: VERSION }, metrics }];
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors };
  }

  return { listener, producer: { collect }, stop: () => watch?.stop() };
}
