import { type CacheLookup, type CacheResult, type Finding, METRICS } from "@telltale/core";
import { boundIfKnown, type Bounds } from "./bounds.js";
import type { Exemplar } from "./exemplars.js";
import type { NumberSeries } from "./number-series.js";
import { recordedNumbers } from "./recorded.js";
import { createNumberSet } from "./series-set.js";
import { toHrTime } from "./time.js";

/** One series of one cache. */
class CacheOutcome {
  readonly result: CacheResult;
  readonly system: string | undefined;
  readonly series: NumberSeries;

  constructor({ result, system }: CacheLookup, series: NumberSeries) {
    this.result = result;
    this.system = system;
    this.series = series;
  }
}

/** Cache lookups, findings and slow queries: what is counted, not timed. */
export function createEventCounts(maxSeries: number, bounds: Bounds) {
  const lookups = createNumberSet(METRICS.cacheLookups, maxSeries);
  const findings = createNumberSet(METRICS.findings, maxSeries);
  const slowQueries = createNumberSet(METRICS.slowQueries, maxSeries);
  const byCache = new Map<string, CacheOutcome[]>();

  function addLookup(lookup: CacheLookup): NumberSeries {
    if (lookups.isFull) return lookups.refuse();
    const { cache, result, system } = lookup;
    const series = lookups.add({
      "telltale.cache.name": cache,
      "telltale.cache.result": result,
      "db.system.name": system,
    });
    const outcomes = byCache.get(cache);
    const outcome = new CacheOutcome(lookup, series);
    if (outcomes === undefined) byCache.set(cache, [outcome]);
    else outcomes.push(outcome);
    return series;
  }

  function findLookup(lookup: CacheLookup): NumberSeries {
    const outcomes = byCache.get(lookup.cache);
    if (outcomes === undefined) return addLookup(lookup);
    for (const one of outcomes) if (one.result === lookup.result && one.system === lookup.system) return one.series;
    return addLookup(lookup);
  }

  return {
    looked(lookup: CacheLookup): void {
      findLookup(lookup).value += lookup.keys;
    },
    found(finding: Finding): void {
      const { kind, route, system, namespace, querySummary, reason } = finding;
      const exemplar = exemplarOf(finding);
      countOne(
        findings.of({
          "telltale.finding.kind": kind,
          "http.route": boundIfKnown(bounds.route, route),
          "db.system.name": system,
          "telltale.finding.accepted": finding.accepted === true ? "true" : undefined,
        }),
        exemplar,
      );
      if (kind !== "slow_query") return;
      countOne(
        slowQueries.of({
          "db.system.name": system,
          "db.namespace": namespace,
          "db.query.summary": boundIfKnown(bounds.summary, querySummary),
          "telltale.slow.reason": reason,
        }),
        exemplar,
      );
    },
    read: () => [lookups, findings, slowQueries].map(recordedNumbers),
  };
}

function countOne(series: NumberSeries, exemplar: Exemplar | undefined): void {
  series.value++;
  if (exemplar !== undefined) series.exemplar = exemplar;
}

/** What was found leads to its trace, where there is one. */
function exemplarOf({ traceId, spanId, sampled, time }: Finding): Exemplar | undefined {
  if (!sampled || traceId === undefined || spanId === undefined) return undefined;
  return { value: 1, timestamp: toHrTime(time), traceId, spanId };
}
