/** What an instrument is: it decides how series are added up and what Prometheus calls it. */
export type InstrumentKind = "counter" | "updowncounter" | "gauge" | "histogram";

/** One metric that Telltale records. Dashboards and alert rules are generated from these, never from strings of their own. */
export interface MetricDefinition {
  readonly name: string;
  readonly unit: string;
  readonly kind: InstrumentKind;
  readonly description: string;
  /** Upper bounds of the buckets, for histograms. */
  readonly buckets?: readonly number[];
}

/** HTTP durations, in s: the convention's advice. */
const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Database durations, in s: the convention's advice. */
const DB_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** Garbage collections, in s: most take about a millisecond. */
const GC_BUCKETS = [0.001, 0.01, 0.1, 1, 10];

function metric(
  kind: InstrumentKind,
  name: string,
  unit: string,
  description: string,
  buckets?: readonly number[],
): MetricDefinition {
  return { name, unit, kind, description, ...(buckets && { buckets }) };
}

/**
 * The metrics of HTTP, databases, pools, caches, findings, the runtime and Telltale itself. Names and units follow the semantic
 * conventions (https://opentelemetry.io/docs/specs/semconv/); those with the product's prefix have no convention yet.
 */
export const METRICS = {
  httpServerDuration: metric(
    "histogram",
    "http.server.request.duration",
    "s",
    "Duration of HTTP requests served.",
    HTTP_BUCKETS,
  ),
  httpServerActive: metric(
    "updowncounter",
    "http.server.active_requests",
    "{request}",
    "HTTP requests being served now.",
  ),
  requestQueries: metric(
    "counter",
    "telltale.request.queries",
    "{query}",
    "Database calls that requests made; Redis commands and BEGIN, COMMIT, SET and their like left out.",
  ),
  httpClientDuration: metric(
    "histogram",
    "http.client.request.duration",
    "s",
    "Duration of HTTP requests sent.",
    HTTP_BUCKETS,
  ),
  httpConnections: metric(
    "updowncounter",
    "http.client.open_connections",
    "{connection}",
    "Connections that HTTP clients keep to a server, by state.",
  ),
  httpPending: metric(
    "updowncounter",
    "telltale.http.client.pending_requests",
    "{request}",
    "Requests waiting for a connection of their HTTP client now.",
  ),
  httpLimit: metric(
    "updowncounter",
    "telltale.http.client.connection.limit",
    "{connection}",
    "The most connections that HTTP clients may open to a server.",
  ),
  httpWait: metric(
    "histogram",
    "telltale.http.client.connection.wait_time",
    "s",
    "Time from sending a request to having a connection for it.",
    DB_BUCKETS,
  ),
  dbOperationDuration: metric(
    "histogram",
    "db.client.operation.duration",
    "s",
    "Duration of database calls.",
    DB_BUCKETS,
  ),
  poolConnections: metric(
    "updowncounter",
    "db.client.connection.count",
    "{connection}",
    "Connections of the pool, by state.",
  ),
  poolLimit: metric(
    "updowncounter",
    "db.client.connection.limit",
    "{connection}",
    "The most connections the pool may open.",
  ),
  poolIdleMin: metric(
    "updowncounter",
    "db.client.connection.idle.min",
    "{connection}",
    "The fewest idle connections the pool keeps.",
  ),
  poolPending: metric(
    "updowncounter",
    "db.client.connection.pending_requests",
    "{request}",
    "Callers waiting for a connection now.",
  ),
  poolTimeouts: metric(
    "counter",
    "db.client.connection.timeouts",
    "{timeout}",
    "Waits for a connection that timed out.",
  ),
  poolWait: metric(
    "histogram",
    "db.client.connection.wait_time",
    "s",
    "Time from asking for a connection to having it.",
    DB_BUCKETS,
  ),
  poolCreate: metric("histogram", "db.client.connection.create_time", "s", "Time to open a connection.", DB_BUCKETS),
  poolUse: metric(
    "histogram",
    "db.client.connection.use_time",
    "s",
    "Time from having a connection to giving it back.",
    DB_BUCKETS,
  ),
  resources: metric(
    "updowncounter",
    "telltale.pool.resources",
    "{resource}",
    "What a pool that lends no database connections has, such as workers, by state.",
  ),
  resourceLimit: metric("updowncounter", "telltale.pool.limit", "{resource}", "The most that such a pool may have."),
  resourceIdleMin: metric(
    "updowncounter",
    "telltale.pool.idle.min",
    "{resource}",
    "The fewest that such a pool keeps idle.",
  ),
  resourcePending: metric(
    "updowncounter",
    "telltale.pool.pending_requests",
    "{request}",
    "Callers waiting for such a pool now.",
  ),
  resourceTimeouts: metric("counter", "telltale.pool.timeouts", "{timeout}", "Waits for such a pool that timed out."),
  resourceWait: metric(
    "histogram",
    "telltale.pool.wait_time",
    "s",
    "Time from asking such a pool to having.",
    DB_BUCKETS,
  ),
  resourceCreate: metric(
    "histogram",
    "telltale.pool.create_time",
    "s",
    "Time to make what such a pool lends.",
    DB_BUCKETS,
  ),
  resourceUse: metric("histogram", "telltale.pool.use_time", "s", "Time from having to giving back.", DB_BUCKETS),
  cacheLookups: metric("counter", "telltale.cache.lookups", "{lookup}", "Keys looked up in a cache, by result."),
  findings: metric(
    "counter",
    "telltale.findings",
    "{finding}",
    "Findings, by kind: slow queries, N+1, blocks of the event loop and others.",
  ),
  slowQueries: metric(
    "counter",
    "telltale.db.slow_queries",
    "{query}",
    "Queries slower than their threshold, or than usual.",
  ),
  spans: metric("counter", "telltale.spans", "{span}", "Spans by what became of them."),
  labelsOverflow: metric(
    "counter",
    "telltale.labels.overflow",
    "{value}",
    "Label values and series refused because their set was full, each time that one was looked for.",
  ),
  limitsReached: metric(
    "counter",
    "telltale.limits.reached",
    "{item}",
    "What was cut, forgotten or left out because it was too long or too many.",
  ),
  errors: metric(
    "counter",
    "telltale.instrumentation.errors",
    "{error}",
    "Failures inside Telltale; the app did not see them.",
  ),
  libraries: metric(
    "updowncounter",
    "telltale.instrumentation.libraries",
    "{process}",
    "Processes that have loaded a library that Telltale knows, by what became of it.",
  ),
  metricsDropped: metric(
    "counter",
    "telltale.metrics.dropped",
    "{metric}",
    "Metrics that the Prometheus endpoint cannot show, by reason.",
  ),
  loopDelayMin: metric("gauge", "nodejs.eventloop.delay.min", "s", "The least delay of the event loop."),
  loopDelayMax: metric("gauge", "nodejs.eventloop.delay.max", "s", "The worst delay of the event loop."),
  loopDelayMean: metric("gauge", "nodejs.eventloop.delay.mean", "s", "The mean delay of the event loop."),
  loopDelayStddev: metric(
    "gauge",
    "nodejs.eventloop.delay.stddev",
    "s",
    "The standard deviation of the event loop's delay.",
  ),
  loopDelayP50: metric("gauge", "nodejs.eventloop.delay.p50", "s", "The median delay of the event loop."),
  loopDelayP90: metric("gauge", "nodejs.eventloop.delay.p90", "s", "The 90th percentile of the event loop's delay."),
  loopDelayP99: metric("gauge", "nodejs.eventloop.delay.p99", "s", "The 99th percentile of the event loop's delay."),
  loopUtilization: metric(
    "gauge",
    "nodejs.eventloop.utilization",
    "1",
    "The part of the time in which the event loop was busy.",
  ),
  loopTime: metric("counter", "nodejs.eventloop.time", "s", "Time the event loop was active, and idle."),
  gcDuration: metric("histogram", "v8js.gc.duration", "s", "Duration of garbage collections.", GC_BUCKETS),
  heapUsed: metric("updowncounter", "v8js.memory.heap.used", "By", "Memory of the heap in use, by space."),
  heapSize: metric("updowncounter", "v8js.memory.heap.space.size", "By", "Memory reserved for a space of the heap."),
  heapAvailable: metric(
    "updowncounter",
    "v8js.memory.heap.space.available_size",
    "By",
    "Memory free in a space of the heap.",
  ),
  heapPhysical: metric(
    "updowncounter",
    "v8js.memory.heap.space.physical_size",
    "By",
    "Memory committed to a space of the heap.",
  ),
  // No convention has it; without it nobody can say how full the heap is.
  heapLimit: metric(
    "updowncounter",
    "telltale.heap.limit",
    "By",
    "The most memory that the heap may take before the process ends.",
  ),
  resourcesActive: metric(
    "gauge",
    "v8js.resource.active",
    "{resource}",
    "Resources that keep the event loop alive, by type.",
  ),
  cpuTime: metric("counter", "process.cpu.time", "s", "CPU time of the process, by mode."),
  cpuUtilization: metric(
    "gauge",
    "process.cpu.utilization",
    "1",
    "CPU time of the process over the time that all its CPUs had.",
  ),
  memoryUsage: metric("updowncounter", "process.memory.usage", "By", "Physical memory of the process."),
  uptime: metric("gauge", "process.uptime", "s", "How long the process has been running."),
} as const satisfies Record<string, MetricDefinition>;
