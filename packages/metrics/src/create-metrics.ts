import { performance } from "node:perf_hooks";
import { emptyResource } from "@opentelemetry/resources";
import type {
  AggregationTemporalitySelector,
  CollectionResult,
  MetricData,
  MetricProducer,
  ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import { type Listener, Slices, VERSION } from "@telltale/core";
import { createBounds } from "./bounds.js";
import { createDatabaseMetrics } from "./database-metrics.js";
import { createEventCounts } from "./event-counts.js";
import { createHttpClientMetrics } from "./http-client-metrics.js";
import { createHttpServerMetrics } from "./http-server-metrics.js";
import { createPoolMetrics } from "./pool-metrics.js";
import { createLibraryMetrics } from "./library-metrics.js";
import type { Reading } from "./reading.js";
import { type Recorded, toMetricData, toMetricDataAtOnce } from "./recorded.js";
import { watchRuntime } from "./runtime-metrics.js";
import { createSelfMetrics } from "./self-metrics.js";
import { isDelta, selectTemporality } from "./temporality.js";
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
  /** Counts what it hears; to be added with `addListener`, before the listener that makes spans: an exemplar is of a span that has not ended. */
  readonly listener: Listener;
  /**
   * For the `metricProducers` of any number of the SDK's readers: everything is cumulative. The reader puts its MeterProvider's
   * resource in place of the producer's, which is empty. Histogram points are `HistogramDataPoint`s and the others `NumberDataPoint`s, with exemplars.
   */
  readonly producer: MetricProducer;
  /**
   * The same for one reader that wants deltas: it gets counters and histograms as `select` says (an exporter's
   * `selectAggregationTemporality`, or `selectTemporality`), counted from its own last collection. One for each reader.
   */
  producerFor(select: AggregationTemporalitySelector): MetricProducer;
  /** The libraries of which calls were heard, as in `library` of templates. */
  readonly heard: ReadonlySet<string>;
  /** What was counted until now, without a turn of the event loop: for the end of the process. */
  readAtOnce(): ScopeMetrics[];
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
  const server = createHttpServerMetrics(maxSeriesPerMetric, bounds);
  const client = createHttpClientMetrics(maxSeriesPerMetric, bounds);
  const pools = createPoolMetrics(maxSeriesPerMetric);
  const events = createEventCounts(maxSeriesPerMetric, bounds);
  const watch = runtime ? watchRuntime() : undefined;
  const libraries = createLibraryMetrics(database.libraries);
  const sources = [server, client, database, pools, events, ...(watch ? [watch] : []), libraries, createSelfMetrics()];

  const listener: Listener = {
    name: "metrics",
    operationStarted(operation) {
      if (operation.kind === "http.server") server.started(operation);
    },
    operationEnded(operation) {
      if (operation.kind === "database") {
        database.ended(operation);
        server.queried(operation);
      } else if (operation.kind === "http.server") server.ended(operation);
      else client.ended(operation);
    },
    responseEnded: server.responseEnded,
    cacheLooked: events.looked,
    poolTimed: pools.timed,
    poolTimedOut: pools.timedOut,
    findingMade: events.found,
  };

  async function collect(select: AggregationTemporalitySelector, reading: Reading): Promise<CollectionResult> {
    const slices = new Slices();
    const { all, errors } = readSources();
    const metrics: (MetricData | undefined)[] = [];
    for (const recorded of all) {
      metrics.push(await toMetricData(recorded, isDelta(select, recorded), reading, slices));
    }
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics: inScope(metrics) }, errors };
  }

  function readAtOnce(): ScopeMetrics[] {
    const reading = { reader: 0, now: toHrTime(Date.now()), before: undefined, beforeMs: 0 };
    return inScope(readSources().all.map((recorded) => toMetricDataAtOnce(recorded, reading)));
  }

  function readSources(): { all: Recorded[]; errors: unknown[] } {
    const all: Recorded[] = [];
    const errors: unknown[] = [];
    // One source that fails (a user's own pool that throws) must not hide the others.
    for (const source of sources) {
      try {
        all.push(...source.read());
      } catch (error) {
        errors.push(error);
      }
    }
    return { all, errors };
  }

  let running: Promise<unknown> | undefined;
  let readers = 0;

  /** Collections rest now and then, but what is read for one of them must not be read again by another before it is done. */
  function collectInTurn(begin: () => Promise<CollectionResult>): Promise<CollectionResult> {
    const result = running === undefined ? begin() : running.then(begin);
    const ended = (): void => {
      if (running === settled) running = undefined;
    };
    const settled = result.then(ended, ended);
    running = settled;
    return result;
  }

  function producerFor(select: AggregationTemporalitySelector): MetricProducer {
    const reader = readers++;
    let before: Reading["before"];
    let beforeMs = 0;
    return {
      collect: () =>
        collectInTurn(() => {
          const reading = { reader, now: toHrTime(Date.now()), before, beforeMs };
          before = reading.now;
          beforeMs = performance.now();
          return collect(select, reading);
        }),
    };
  }

  const producer = producerFor(selectTemporality("cumulative"));
  return { listener, producer, producerFor, heard: database.libraries, readAtOnce, stop: () => watch?.stop() };
}

function inScope(collected: readonly (MetricData | undefined)[]): ScopeMetrics[] {
  const metrics = collected.filter((data) => data !== undefined);
  return metrics.length === 0 ? [] : [{ scope: { name: "telltale", version: VERSION }, metrics }];
}
