import type { METRICS } from "./metric-names.js";

const POOL = ["db.client.connection.pool.name", "db.system.name"] as const;
const SERVER = ["server.address", "server.port"] as const;
const HEAP_SPACE = ["v8js.heap.space.name"] as const;
const NONE = [] as const;

/**
 * The attributes each metric may come with. Dashboards and alert rules select and group by these, never by strings of their own;
 * `packages/metrics/test/attributes.test.ts` compares them with what is recorded.
 */
export const METRIC_ATTRIBUTES = {
  httpServerDuration: [
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "url.scheme",
    "network.protocol.version",
    "error.type",
  ],
  httpServerActive: ["http.request.method", "url.scheme"],
  requestQueries: ["http.request.method", "http.route"],
  httpClientDuration: [
    "http.request.method",
    "server.address",
    "server.port",
    "http.response.status_code",
    "error.type",
  ],
  httpConnections: [...SERVER, "http.connection.state"],
  httpPending: SERVER,
  httpLimit: SERVER,
  httpWait: SERVER,
  dbOperationDuration: [
    "db.system.name",
    "db.namespace",
    "db.operation.name",
    "db.collection.name",
    "db.query.summary",
    "server.address",
    "server.port",
    "error.type",
  ],
  poolConnections: [...POOL, "db.client.connection.state"],
  poolLimit: POOL,
  poolIdleMin: POOL,
  poolPending: POOL,
  poolTimeouts: POOL,
  poolWait: POOL,
  poolCreate: POOL,
  poolUse: POOL,
  cacheLookups: ["telltale.cache.name", "telltale.cache.result", "db.system.name"],
  findings: ["telltale.finding.kind", "http.route", "db.system.name", "telltale.finding.accepted"],
  slowQueries: ["db.system.name", "db.namespace", "db.query.summary", "telltale.slow.reason"],
  spans: ["telltale.outcome"],
  labelsOverflow: ["telltale.label"],
  limitsReached: ["telltale.limit"],
  errors: ["telltale.part"],
  libraries: ["telltale.library.name", "telltale.library.version", "telltale.library.state"],
  metricsDropped: ["telltale.reason"],
  loopDelayMin: NONE,
  loopDelayMax: NONE,
  loopDelayMean: NONE,
  loopDelayStddev: NONE,
  loopDelayP50: NONE,
  loopDelayP90: NONE,
  loopDelayP99: NONE,
  loopUtilization: NONE,
  loopTime: ["nodejs.eventloop.state"],
  gcDuration: ["v8js.gc.type"],
  heapUsed: HEAP_SPACE,
  heapSize: HEAP_SPACE,
  heapAvailable: HEAP_SPACE,
  heapPhysical: HEAP_SPACE,
  heapLimit: NONE,
  resourcesActive: ["v8js.resource.type"],
  cpuTime: ["cpu.mode"],
  cpuUtilization: ["cpu.mode"],
  memoryUsage: NONE,
  uptime: NONE,
} as const satisfies Record<keyof typeof METRICS, readonly string[]>;
