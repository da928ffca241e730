import { type MetricDefinition, METRICS, namings } from "@telltale/core";
import { underscored } from "./sample.js";

/** What baselines are made of. */
export const MEASURED = {
  requests: METRICS.httpServerDuration,
  requestQueries: METRICS.requestQueries,
  queries: METRICS.dbOperationDuration,
  lookups: METRICS.cacheLookups,
} as const satisfies Record<string, MetricDefinition>;

/** The names that a metric has by any strategy, in Prometheus's own characters: a look finds out which one it is. */
export function namesOf({ name, unit, kind }: MetricDefinition): readonly string[] {
  const type = kind === "updowncounter" ? "gauge" : kind;
  const names = Object.values(namings).map((naming) => naming.metric({ name, unit, type, isRatio: false }));
  return [...new Set(names.filter((one) => one !== undefined).map(underscored))];
}
