import type { MetricData, MetricProducer, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import {
  createLabelSet,
  type DatabaseOperation,
  type DatabaseTemplate,
  type HttpClientOperation,
  type HttpServerOperation,
  type Listener,
  listenerSlot,
  METRICS,
  readPools,
  selfCounters,
  VERSION,
} from "@telltale/core";
import {
  createHistogramFamily,
  createSumFamily,
  type Distribution,
  type Observation,
  observedData,
  toHrTime,
} from "./family.js";
import { observeRuntime } from "./runtime.js";

export interface MetricsOptions {
  /** Series per metric in the life of the process; what comes beyond is one series marked `otel.metric.overflow`. Default 2,000. */
  readonly maxSeries?: number;
  /** Different `db.query.summary` values, then `other`. Default 200. */
  readonly maxSummaries?: number;
  /** Different `http.route` values, then `other`. Default 500. */
  readonly maxRoutes?: number;
  /** Event loop, garbage collector, heap, CPU and memory too. Default true. */
  readonly runtime?: boolean;
}

/** The metrics of one process. */
export interface Metrics {
  /** Hears operations; give it to `addListener`. */
  readonly listener: Listener;
  /** Give it to the SDK's metric readers. */
  readonly producer: MetricProducer;
  /** Stops observing the runtime. */
  stop(): void;
}

/** Seconds per millisecond. */
const S = 1e-3;
/** Different values of `error.type` and `server.address`. */
const MAX_ERRORS = 100;
const MAX_ADDRESSES = 200;

/**
 * Operations, pools, caches and findings as cumulative metrics. Sampling makes no difference. A database call costs one
 * template look-up and one bucket search: its series is found once and kept on the template.
 */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const { maxSeries = 2_000, maxSummaries = 200, maxRoutes = 500 } = options;
  const summaries = createLabelSet("db.query.summary", maxSummaries);
  const routes = createLabelSet("http.route", maxRoutes);
  const addresses = createLabelSet("server.address", MAX_ADDRESSES);
  const errors = createLabelSet("error.type", MAX_ERRORS);
  const histogram = (definition: (typeof METRICS)[keyof typeof METRICS], names: string[]) =>
    createHistogramFamily(definition, names, maxSeries);
  const sum = (definition: (typeof METRICS)[keyof typeof METRICS], names: string[]) =>
    createSumFamily(definition, names, maxSeries);

  const served = histogram(METRICS.httpServerDuration, [
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "url.scheme",
    "error.type",
    "network.protocol.version",
  ]);
  const active = sum(METRICS.httpServerActive, ["http.request.method", "url.scheme"]);
  const sent = histogram(METRICS.httpClientDuration, [
    "http.request.method",
    "server.address",
    "server.port",
    "http.response.status_code",
    "error.type",
    "network.protocol.version",
  ]);
  const called = histogram(METRICS.dbOperationDuration, [
    "db.system.name",
    "db.namespace",
    "db.operation.name",
    "db.collection.name",
    "db.query.summary",
    "server.address",
    "server.port",
    "error.type",
  ]);
  const poolLabels = ["db.client.connection.pool.name", "db.system.name"];
  const timings = {
    wait: histogram(METRICS.poolWait, poolLabels),
    create: histogram(METRICS.poolCreate, poolLabels),
    use: histogram(METRICS.poolUse, poolLabels),
  };
  const timeouts = sum(METRICS.poolTimeouts, poolLabels);
  const lookups = sum(METRICS.cacheLookups, ["telltale.cache.name", "telltale.cache.result", "db.system.name"]);
  const findings = sum(METRICS.findings, ["telltale.finding.kind", "http.route", "db.system.name"]);
  const slow = sum(METRICS.slowQueries, ["db.system.name", "db.namespace", "db.query.summary", "telltale.slow.reason"]);
  const families = [
    served,
    active,
    sent,
    called,
    timings.wait,
    timings.create,
    timings.use,
    timeouts,
    lookups,
    findings,
    slow,
  ];

  const bound = (set: { bound(value: string): string }, value: string | undefined) =>
    value === undefined ? undefined : set.bound(value);
  const slot = listenerSlot();
  const started = toHrTime(performance.now());
  const runtime = options.runtime === false ? undefined : observeRuntime(started);

  function callCell(template: DatabaseTemplate, errorType: string | undefined): Distribution {
    return called.cell(
      template.system,
      template.namespace,
      template.operationName,
      template.collection,
      bound(summaries, template.querySummary),
      bound(addresses, template.serverAddress),
      template.serverPort,
      bound(errors, errorType),
    );
  }

  function recordCall(operation: DatabaseOperation): void {
    const { template, errorType } = operation;
    let cell: Distribution;
    if (errorType !== undefined) cell = callCell(template, errorType);
    else cell = (template.slots[slot] ??= callCell(template, undefined)) as Distribution;
    cell.record((operation.endMs - operation.startMs) * S);
  }

  function recordServed(operation: HttpServerOperation): void {
    const { method, scheme, statusCode, errorType, protocolVersion } = operation;
    active.cell(method, scheme).add(-1);
    const status = statusCode === 0 ? undefined : statusCode;
    const route = bound(routes, operation.request?.route);
    const cell = served.cell(method, route, status, scheme, bound(errors, errorType), protocolVersion);
    cell.record((operation.endMs - operation.startMs) * S);
  }

  function recordSent(operation: HttpClientOperation): void {
    const { method, serverAddress, serverPort, statusCode, errorType, protocolVersion } = operation;
    const status = statusCode === 0 ? undefined : statusCode;
    const cell = sent.cell(
      method,
      addresses.bound(serverAddress),
      serverPort,
      status,
      bound(errors, errorType),
      protocolVersion,
    );
    cell.record((operation.endMs - operation.startMs) * S);
  }

  const listener: Listener = {
    name: "metrics",
    operationStarted(operation) {
      if (operation.kind === "http.server") active.cell(operation.method, operation.scheme).add(1);
    },
    operationEnded(operation) {
      if (operation.kind === "database") recordCall(operation);
      else if (operation.kind === "http.server") recordServed(operation);
      else recordSent(operation);
    },
    cacheLooked({ cache, result, keys, system }) {
      lookups.cell(cache, result, system).add(keys);
    },
    poolTimed(pool, what, ms) {
      timings[what].cell(pool.name, pool.system).record(ms * S);
    },
    poolTimedOut(pool) {
      timeouts.cell(pool.name, pool.system).add(1);
    },
    findingMade({ kind, route, system, namespace, querySummary, reason }) {
      findings.cell(kind, bound(routes, route), system).add(1);
      if (kind === "slow_query") slow.cell(system, namespace, bound(summaries, querySummary), reason).add(1);
    },
  };

  function collect(): MetricData[] {
    const endTime = toHrTime(performance.now());
    const metrics = families.map((family) => family.collect(endTime)).filter((data) => data !== undefined);
    metrics.push(
      ...collectPools(started, endTime),
      ...collectSelf(started, endTime),
      ...(runtime?.collect(endTime) ?? []),
    );
    return metrics;
  }

  return {
    listener,
    producer: {
      async collect() {
        // The reader takes the resource from its MeterProvider; only the scopes of a further producer are read.
        const scopeMetrics = [{ scope: { name: "telltale", version: VERSION }, metrics: collect() }];
        return { resourceMetrics: { scopeMetrics } as unknown as ResourceMetrics, errors: [] };
      },
    },
    stop: () => runtime?.stop(),
  };
}

/** What the pools say of themselves now; a pool that has ended says nothing, and its series are gone. */
function collectPools(startTime: [number, number], endTime: [number, number]): MetricData[] {
  const readings = readPools();
  if (readings.length === 0) return [];
  const counts: Observation[] = [];
  const pending: Observation[] = [];
  const limits: Observation[] = [];
  const idleMin: Observation[] = [];
  for (const { pool, reading } of readings) {
    const labels = {
      "db.client.connection.pool.name": pool.name,
      ...(pool.system !== undefined && { "db.system.name": pool.system }),
    };
    counts.push([reading.used, { ...labels, "db.client.connection.state": "used" }]);
    counts.push([reading.idle, { ...labels, "db.client.connection.state": "idle" }]);
    pending.push([reading.pending, labels]);
    if (reading.limit !== undefined) limits.push([reading.limit, labels]);
    if (reading.idleMin !== undefined) idleMin.push([reading.idleMin, labels]);
  }
  return [
    observedData(METRICS.poolConnections, counts, startTime, endTime),
    observedData(METRICS.poolPending, pending, startTime, endTime),
    observedData(METRICS.poolLimit, limits, startTime, endTime),
    observedData(METRICS.poolIdleMin, idleMin, startTime, endTime),
  ].filter(({ dataPoints }) => dataPoints.length > 0);
}

function collectSelf(startTime: [number, number], endTime: [number, number]): MetricData[] {
  return [METRICS.spans, METRICS.labelsOverflow, METRICS.errors].flatMap((definition) => {
    const own = [...selfCounters()].filter(({ metric }) => metric === definition.name);
    if (own.length === 0) return [];
    const observations = own.map(({ total, attribute, value }): Observation => [total, { [attribute]: value }]);
    return [observedData(definition, observations, startTime, endTime)];
  });
}
