import { MEASURED, namesOf } from "./names.js";
import type { Growth, Sample } from "./sample.js";

/** What a service did in a time, to be compared with what another release of it does. */
export interface Baseline {
  readonly telltale: "baseline";
  readonly version: 1;
  /** When the look ended, ISO 8601. */
  readonly recordedAt: string;
  /** How long it lasted, in s. */
  readonly seconds: number;
  /** By method and route. */
  readonly routes: Readonly<Record<string, RouteFigures>>;
  /** By system and summary: `postgresql SELECT orders`. */
  readonly queries: Readonly<Record<string, { readonly calls: number }>>;
  /** By name. */
  readonly caches: Readonly<Record<string, { readonly lookups: number; readonly hitRatio: number }>>;
}

export interface RouteFigures {
  readonly requests: number;
  readonly perSecond: number;
  /** Of the requests, those that ended with 5xx or without an answer; 0 to 1. */
  readonly errorRatio: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly queriesPerRequest: number;
}

/** Figures of what grew. Keys are in alphabetical order, so that files of two looks can be laid side by side. */
export function measure({ samples, seconds }: Growth, endMs: number): Baseline {
  return {
    telltale: "baseline",
    version: 1,
    recordedAt: new Date(endMs).toISOString(),
    seconds: round(seconds),
    routes: measureRoutes(samples, seconds),
    queries: measureQueries(samples),
    caches: measureCaches(samples),
  };
}

function measureRoutes(samples: readonly Sample[], seconds: number): Baseline["routes"] {
  const queries = new Map<string, number>();
  for (const { labels, value } of ofMetric(samples, "requestQueries")) add(queries, routeOf(labels), value);
  const buckets = new Map<string, Map<number, number>>();
  const errors = new Map<string, number>();
  for (const { labels, value } of ofMetric(samples, "requests")) {
    const route = routeOf(labels);
    const bound = Number(labels["le"]?.replace("Inf", "Infinity"));
    const counts = buckets.get(route) ?? new Map<number, number>();
    buckets.set(route, counts);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
    if (bound === Number.POSITIVE_INFINITY && isError(labels)) add(errors, route, value);
  }
  return sorted(buckets, (counts, route) => {
    const requests = counts.get(Number.POSITIVE_INFINITY) ?? 0;
    if (!(requests > 0)) return undefined;
    return {
      requests: Math.round(requests),
      perSecond: round(requests / seconds),
      errorRatio: round((errors.get(route) ?? 0) / requests),
      p50Ms: quantileMs(counts, 0.5),
      p95Ms: quantileMs(counts, 0.95),
      p99Ms: quantileMs(counts, 0.99),
      queriesPerRequest: round((queries.get(route) ?? 0) / requests),
    };
  });
}

function measureQueries(samples: readonly Sample[]): Baseline["queries"] {
  const calls = new Map<string, number>();
  for (const { labels, value } of ofMetric(samples, "queries")) {
    if (labels["le"] !== "+Inf") continue;
    const what = labels["db_query_summary"] ?? labels["db_operation_name"];
    if (what !== undefined) add(calls, `${labels["db_system_name"] ?? "unknown"} ${what}`, value);
  }
  return sorted(calls, (value) => (value >= 0.5 ? { calls: Math.round(value) } : undefined));
}

function measureCaches(samples: readonly Sample[]): Baseline["caches"] {
  const results = new Map<string, Map<string, number>>();
  for (const { labels, value } of ofMetric(samples, "lookups")) {
    const name = labels["telltale_cache_name"] ?? "other";
    const counts = results.get(name) ?? new Map<string, number>();
    results.set(name, counts);
    add(counts, labels["telltale_cache_result"] ?? "", value);
  }
  return sorted(results, (counts) => {
    const lookups = [...counts.values()].reduce((sum, one) => sum + one, 0);
    if (!(lookups >= 0.5)) return undefined;
    return { lookups: Math.round(lookups), hitRatio: round((counts.get("hit") ?? 0) / lookups) };
  });
}

function ofMetric(samples: readonly Sample[], metric: keyof typeof MEASURED): readonly Sample[] {
  const definition = MEASURED[metric];
  const part = definition.kind === "histogram" ? "_bucket" : "";
  for (const family of namesOf(definition)) {
    const found = samples.filter(({ name }) => name === family + part);
    if (found.length > 0) return found;
  }
  return [];
}

function routeOf(labels: Sample["labels"]): string {
  return `${labels["http_request_method"] ?? "?"} ${labels["http_route"] ?? "(no route)"}`;
}

function isError(labels: Sample["labels"]): boolean {
  const status = labels["http_response_status_code"];
  return status === undefined ? labels["error_type"] !== undefined : status.startsWith("5");
}

/** As Prometheus's `histogram_quantile`: evenly spread within a bucket, and never above the last finite bound. */
function quantileMs(counts: ReadonlyMap<number, number>, share: number): number {
  const buckets = [...counts].sort(([a], [b]) => a - b);
  const rank = (counts.get(Number.POSITIVE_INFINITY) ?? 0) * share;
  let below = 0;
  let from = 0;
  for (const [bound, count] of buckets) {
    if (count >= rank) {
      if (bound === Number.POSITIVE_INFINITY) break;
      return round(1000 * (from + ((bound - from) * (rank - below)) / (count - below || 1)));
    }
    below = count;
    from = bound;
  }
  return round(1000 * from);
}

function add(sums: Map<string, number>, key: string, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}

function sorted<Value, Figures>(
  values: ReadonlyMap<string, Value>,
  describe: (value: Value, key: string) => Figures | undefined,
): Record<string, Figures> {
  const result: Record<string, Figures> = {};
  for (const [key, value] of [...values].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const figures = describe(value, key);
    if (figures !== undefined) result[key] = figures;
  }
  return result;
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
