import type { HrTime } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { type CacheLookup, type Finding, METRICS } from "@telltale/core";
import { boundIfKnown, type Bounds } from "./bounds.js";
import { known, numberSetData } from "./metric-data.js";
import { createNumberSet, type NumberSeries, type SeriesSet } from "./series.js";

/** Cache lookups, findings and slow queries: what is counted, not timed. */
export function createEventCounts(maxSeries: number, bounds: Bounds) {
  const lookups = createNumberSet(METRICS.cacheLookups, maxSeries);
  const findings = createNumberSet(METRICS.findings, maxSeries);
  const slowQueries = createNumberSet(METRICS.slowQueries, maxSeries);

  return {
    looked({ cache, result, keys, system }: CacheLookup): void {
      const series =
        lookups.get(cache, result, system) ??
        lookups.add(
          known({ "telltale.cache.name": cache, "telltale.cache.result": result, "db.system.name": system }),
          cache,
          result,
          system,
        );
      series.value += keys;
    },
    found({ kind, route, system, namespace, querySummary, reason }: Finding): void {
      add(findings, {
        "telltale.finding.kind": kind,
        "http.route": boundIfKnown(bounds.route, route),
        "db.system.name": system,
      });
      if (kind !== "slow_query") return;
      add(slowQueries, {
        "db.system.name": system,
        "db.namespace": namespace,
        "db.query.summary": boundIfKnown(bounds.summary, querySummary),
        "telltale.slow.reason": reason,
      });
    },
    collect: (now: HrTime): MetricData[] =>
      [lookups, findings, slowQueries].flatMap((counts) => numberSetData(counts, now)),
  };
}

/** Findings are rare: a key made of the attributes does. */
function add(counts: SeriesSet<NumberSeries>, values: Readonly<Record<string, string | undefined>>): void {
  const attributes = known(values);
  const key = JSON.stringify(attributes);
  (counts.get(key) ?? counts.add(attributes, key)).value++;
}
