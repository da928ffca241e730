import { ANSWERED, HIT } from "../lookups.js";
import type { Label, Promql } from "../promql.js";
import type { Slo } from "../slo.js";
import { BURN_WINDOWS } from "./burn-rates.js";
import {
  BUDGET,
  CACHE_HITS,
  CPU,
  DATABASE_MEAN,
  HEAP_USED,
  LOOP_ACTIVE,
  POOL_USED,
  REQUESTS,
  REQUESTS_BAD,
  requestsBad,
  ROUTE_P99,
  ROUTE_REQUESTS,
} from "./names.js";
import { objectivesOf } from "./objectives.js";

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const JOB: readonly Label[] = ["job"];
const PROCESS: readonly Label[] = ["job", "instance"];

/** What alerts are about, taken together once and not in each of them. */
export function recordingRules(q: Promql, slo: Slo): RecordingRule[] {
  const five = q.over("5m");
  const quarter = q.over("15m");
  const hour = q.over("1h");
  const systems: readonly Label[] = ["job", "db.system.name"];
  const caches: readonly Label[] = ["job", "telltale.cache.name"];
  const pools: readonly Label[] = ["job", "instance", "db.client.connection.pool.name"];
  const routes: readonly Label[] = ["job", "http.route"];
  const lookups = quarter.rate("cacheLookups", ANSWERED);
  const average = (gauge: string): string => `avg_over_time(${gauge}[5m])`;

  return [
    { record: REQUESTS, expr: five.sum(JOB, five.count("httpServerDuration")) },
    ...objectivesOf(slo).map(({ name, bad }) => ({
      record: REQUESTS_BAD,
      expr: bad(five, JOB),
      labels: { slo: name },
    })),
    ...objectivesOf(slo).map(({ name, budget }) => ({
      record: BUDGET,
      expr: `${budget} + 0 * ${q.recorded(REQUESTS)}`,
      labels: { slo: name },
    })),
    // From what was recorded: rates over days, straight from buckets, would read millions of samples each time.
    ...BURN_WINDOWS.map((window) => ({
      record: requestsBad(window),
      expr: `sum_over_time(${q.recorded(REQUESTS_BAD)}[${window}]) / on (job) group_left () sum_over_time(${q.recorded(REQUESTS)}[${window}])`,
    })),
    { record: ROUTE_REQUESTS, expr: hour.sum(routes, hour.count("httpServerDuration")) },
    { record: ROUTE_P99, expr: hour.quantile(0.99, "httpServerDuration", routes) },
    {
      record: DATABASE_MEAN,
      expr: `${five.sum(systems, five.total("dbOperationDuration"))} / ${five.sum(systems, five.count("dbOperationDuration"))}`,
    },
    {
      record: CACHE_HITS,
      expr: `${quarter.share(caches, quarter.rate("cacheLookups", HIT), lookups)} and ${quarter.sum(caches, lookups)} > ${slo.minPerSecond}`,
    },
    {
      record: POOL_USED,
      expr: `${q.sum(pools, average(q.value("poolConnections", { "db.client.connection.state": "=used" })))} / ${q.sum(pools, average(q.value("poolLimit")))}`,
    },
    {
      record: LOOP_ACTIVE,
      expr: `${five.sum(PROCESS, five.rate("loopTime", { "nodejs.eventloop.state": "=active" }))} / ${five.sum(PROCESS, five.rate("loopTime"))}`,
    },
    { record: CPU, expr: q.sum(PROCESS, average(q.value("cpuUtilization"))) },
    { record: HEAP_USED, expr: `${q.sum(PROCESS, q.value("heapUsed"))} / ${q.sum(PROCESS, q.value("heapLimit"))}` },
  ];
}
