import { percent } from "../percent.js";
import type { Label, Promql, Where } from "../promql.js";
import type { Slo } from "../slo.js";
import { burnAlerts } from "./burn-alerts.js";
import {
  CACHE_HITS,
  CPU,
  DATABASE_MEAN,
  HEAP_USED,
  LOOP_ACTIVE,
  POOL_USED,
  ROUTE_P99,
  ROUTE_REQUESTS,
} from "./names.js";

export type Severity = "page" | "warn";

/** An alert as it is thought of; `buildAlert` makes the rule of it. */
export interface Alert {
  readonly alert: string;
  /** page: somebody gets up for it; warn: somebody looks at it during the day. */
  readonly severity: Severity;
  readonly labels?: Readonly<Record<string, string>>;
  readonly expr: string;
  /** How long it must have been so. */
  readonly for: string;
  /** One line, a template. */
  readonly summary: string;
  /** What it means, how to find the cause, what to do at once. */
  readonly runbook: string;
  /** The dashboard that shows it, and which of its labels the variables take. */
  readonly dashboard: string;
  readonly variables?: Readonly<Record<string, Label>>;
}

/** All alerts; those of one name differ in severity, so that the page silences the warning. */
export function alertsOf(q: Promql, slo: Slo): Alert[] {
  const { requests, database, caches, pools, runtime, minPerSecond } = slo;
  const label = (name: Label): string => `{{ index $labels ${JSON.stringify(q.label(name))} }}`;
  // What no route was found for (404, a bare server) is a series of its own.
  const routeName = `{{ with index $labels ${JSON.stringify(q.label("http.route"))} }}{{ . }}{{ else }}what has no route{{ end }}`;
  const service = "{{ $labels.job }}";
  const instance = "{{ $labels.instance }}";
  const share = "{{ $value | humanizePercentage }}";
  const duration = "{{ $value | humanizeDuration }}";
  const process = { service: "job", instance: "instance" } as const;
  const route = q.labels("job", "http.route");
  const nPlusOne: Where<"findings"> = {
    "telltale.finding.kind": "=~n_plus_one|repeated_lookup",
    "telltale.finding.accepted": "=",
  };

  const cacheAlert = (severity: Severity, below: number): Alert => ({
    alert: "CacheHitRatioLow",
    severity,
    expr: `${q.recorded(CACHE_HITS)} < ${below}`,
    for: "15m",
    summary: `Cache ${label("telltale.cache.name")} of ${service} has only ${share} of what it is asked for`,
    runbook:
      "Every miss is work for the database, so look at Databases first: if it copes, there is time. Then find out what changed: a flush or a restart of the cache's server (its log), keys of a new form (the last deployment), a shorter time to live, memory that is full so that values are evicted (INFO stats: evicted_keys). Until the cause is found, less load or a longer time to live helps.",
    dashboard: "telltale-caches",
    variables: { service: "job" },
  });

  return [
    ...burnAlerts(q, slo),
    {
      alert: "RequestP99Grew",
      severity: "warn",
      // Of a few requests an hour, then or now, the slowest one is the p99.
      expr: `${q.recorded(ROUTE_P99)} > ${requests.p99Growth} * ${q.recorded(ROUTE_P99)} offset 1d and ${q.recorded(ROUTE_REQUESTS)} > ${minPerSecond} and ${q.recorded(ROUTE_REQUESTS)} offset 1d > ${minPerSecond}`,
      for: "15m",
      summary: `p99 of ${routeName} of ${service} is ${duration}, more than ${requests.p99Growth} times that of a day earlier`,
      runbook:
        "The route has become slower while it may still keep its objective. Compare with yesterday on the Service dashboard and open the exemplars of its slow requests: the longest span of their traces is what has changed. A deployment in between is the first suspect, a query whose plan has changed the second (Databases, p95 by query), a pool that is waited for the third (Pools).",
      dashboard: "telltale-service",
      variables: { service: "job", route: "http.route" },
    },
    {
      alert: "ThroughputFell",
      severity: "warn",
      expr: throughputFell(q, requests.throughputShare, minPerSecond),
      for: "15m",
      summary: `${service} serves {{ $value | humanize }} requests a second, less than ${percent(requests.throughputShare)} of the same hour a day earlier`,
      runbook:
        "Either fewer requests arrive or fewer are answered. If requests in flight or durations grow, the service is the bottleneck (Service, Saturation). If they do not, the requests are lost before it: look at the load balancer, at DNS, at the clients and at how many processes run (Runtime). A holiday looks the same: silence the alert for the day.",
      dashboard: "telltale-service",
      variables: { service: "job" },
    },
    {
      alert: "DatabaseSlow",
      severity: "warn",
      expr: `${q.recorded(DATABASE_MEAN)} > ${database.meanMs / 1000}`,
      for: "10m",
      summary: `A call of ${service} to ${label("db.system.name")} takes ${duration} on average, more than ${database.meanMs} ms`,
      runbook:
        "Sort the queries of the Databases dashboard by their share of time. If one stands out, its plan or its number of rows has changed: EXPLAIN it and look for the missing index. If all are slower than usual, the server is the cause: its CPU, its disks, locks (pg_stat_activity), a backup, or the network between.",
      dashboard: "telltale-databases",
      variables: { service: "job" },
    },
    cacheAlert("page", caches.hitRatioPage),
    cacheAlert("warn", caches.hitRatioWarn),
    {
      alert: "PoolNearlyFull",
      severity: "warn",
      expr: `${q.recorded(POOL_USED)} > ${pools.utilization}`,
      for: "5m",
      summary: `Pool ${label("db.client.connection.pool.name")} of ${service} on ${instance} is ${share} in use`,
      runbook:
        "The next rush will have to wait. Compare Held on the Pools dashboard with how long the queries take (Databases): connections that are held much longer than they are used wait for something else meanwhile, and the code between connect() and release() says for what. If they are used all the time, make the queries faster or raise the limit, within what the server can serve.",
      dashboard: "telltale-pools",
      variables: process,
    },
    {
      alert: "PoolTimeouts",
      severity: "page",
      // A pool that has made nothing yet is not known to be one of a database.
      expr: `${q.sum(["job", "instance", "db.client.connection.pool.name"], q.over("5m").increase("poolTimeouts"))} > 0 or ${q.sum(["job", "instance", "telltale.pool.name"], q.over("5m").increase("resourceTimeouts"))} > 0`,
      for: "0m",
      summary: `Requests of ${service} on ${instance} waited in vain for pool ${label("db.client.connection.pool.name")}${label("telltale.pool.name")}`,
      runbook:
        "Each time-out is a request that failed. If the pool leads to a database: is that up, and does it answer (Databases)? If it does, connections are held too long or never given back: Held on the Pools dashboard shows it, and a number in use that stays on the limit without load is a leak, for which only a restart helps until release() is in a finally. Otherwise take load off or add processes.",
      dashboard: "telltale-pools",
      variables: process,
    },
    {
      alert: "EventLoopBusy",
      severity: "warn",
      expr: `${q.recorded(LOOP_ACTIVE)} > ${runtime.eventLoopUtilization}`,
      for: "10m",
      summary: `The event loop of ${service} on ${instance} is ${share} busy`,
      runbook:
        "JavaScript runs nearly all the time, so every request queues behind others. Add processes to gain time. Then take a CPU profile under this load (node --cpu-prof, or the inspector): large JSON, long loops, synchronous calls and regular expressions are the usual causes. If garbage collection takes the time (Runtime), allocate less.",
      dashboard: "telltale-runtime",
      variables: process,
    },
    {
      alert: "CpuBusy",
      severity: "warn",
      expr: `${q.recorded(CPU)} > ${runtime.cpuUtilization}`,
      for: "10m",
      summary: `${service} on ${instance} uses ${share} of all its CPUs`,
      runbook:
        "The process takes nearly all that its machine or container can give. Add machines or raise the container's limit. If requests have not grown, something has become more expensive: compare CPU by mode on the Runtime dashboard with the last deployment, and profile it.",
      dashboard: "telltale-runtime",
      variables: process,
    },
    {
      alert: "HeapLeak",
      severity: "page",
      expr: heapLeaks(q.recorded(HEAP_USED), runtime.heapUtilization),
      for: "10m",
      summary: `The heap of ${service} on ${instance} is ${share} full and has been rising for an hour`,
      runbook:
        "At its limit the process ends, and before that garbage collection takes all its time. Restart it when it suits you, before it does so itself. To find the leak, take two heap snapshots some minutes apart (node --heapsnapshot-signal=SIGUSR2) and compare what has been added: maps and arrays that only grow, listeners added for each request, caches without a bound.",
      dashboard: "telltale-runtime",
      variables: process,
    },
    {
      alert: "NewNPlusOne",
      severity: "warn",
      // Not seen in the day before the last half hour; the counter alone does not tell, for it begins with 1.
      expr: `${q.sum(["job", "http.route", "db.system.name"], q.value("findings", nPlusOne))} unless on (${route}) present_over_time(${q.value("findings", nPlusOne)}[1d] offset 30m)`,
      for: "0m",
      summary: `${routeName} of ${service} runs one ${label("db.system.name")} query again and again in a request (N+1), which it did not do before`,
      runbook:
        "A request runs the same query once for each row of another one. Harmless with a few rows, it grows with the data. The trace of any request of the route shows the repeated spans (telltale.repeat), the log the query (findingsLog). Read the rows for all keys in one query: WHERE key = ANY ($1), a JOIN, or a DataLoader. The last deployment has most probably brought it.",
      dashboard: "telltale-findings",
      variables: { service: "job", route: "http.route" },
    },
  ];
}

/**
 * Rising by a hundredth of the limit in an hour, for less is noise of the garbage collector; over the whole hour and still in its last
 * half. A process that is younger, or has filled its heap at its start and stays there, only looks like it.
 */
function heapLeaks(used: string, limit: number): string {
  const rises = (window: string): string => `deriv(${used}[${window}]) * 3600 > 0.01`;
  return `avg_over_time(${used}[10m]) > ${limit} and ${rises("1h")} and ${rises("30m")} and ${used} offset 1h`;
}

/**
 * A service that has gone altogether has no requests left to compare. One that was not there an hour ago is not compared: where Prometheus
 * was down, or the service, the hour has not been seen whole.
 */
function throughputFell(q: Promql, share: number, minPerSecond: number): string {
  const requests = (offset = ""): string => `sum by (job) (${q.recorded(ROUTE_REQUESTS)}${offset})`;
  const [now, before] = [requests(), requests(" offset 1d")];
  return `(${now} and ${requests(" offset 1h")} or 0 * ${before} unless ${now}) < ${share} * ${before} and ${before} > ${minPerSecond}`;
}
