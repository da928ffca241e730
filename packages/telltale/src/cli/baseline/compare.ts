import type { Baseline, RouteFigures } from "./measure.js";

/** What is still the same. */
export interface Tolerances {
  /** The slowest 1 % may take so many times what they took. */
  readonly p99: number;
  /** The least share of the requests per second. */
  readonly throughput: number;
  /** By how much the ratio of errors may rise, 0 to 1. */
  readonly errors: number;
  /** A request may make so many times the queries that it made. */
  readonly queries: number;
  /** By how much a hit ratio may fall, 0 to 1. */
  readonly hitRatio: number;
  /** What came more seldom is not judged: requests of a route, lookups in a cache. */
  readonly minRequests: number;
}

export const DEFAULT_TOLERANCES: Tolerances = {
  p99: 2,
  throughput: 0.8,
  errors: 0.01,
  queries: 1.2,
  hitRatio: 0.1,
  minRequests: 100,
};

export type RegressionKind =
  | "latency"
  | "throughput"
  | "errors"
  | "queries"
  | "new_query"
  | "hit_ratio"
  | "cache_unused";

/** Something that became worse than it may. */
export interface Regression {
  readonly kind: RegressionKind;
  /** The route, query or cache. */
  readonly where: string;
  /** What was measured: `p99Ms`, `perSecond`. */
  readonly figure: string;
  readonly before: number;
  readonly now: number;
  /** What it may be. */
  readonly limit: number;
}

export interface Comparison {
  readonly regressions: readonly Regression[];
  /** How many routes, and caches, had enough traffic in both to be judged. */
  readonly judged: number;
  /** Routes and caches with too little. */
  readonly tooLittle: readonly string[];
}

/** With fewer than five requests beyond it, a percentile is chance. */
const BEYOND = 5;
/** What differs by less is not felt, and the bounds of buckets are no finer. */
const LEAST_MS = 10;
/** Half a query more for each request is no rounding. */
const LEAST_QUERIES = 0.5;
/** A new query that came so often is no one-off. */
const LEAST_CALLS = 10;

/** Finds what is worse than before by more than it may be. */
export function compare(before: Baseline, now: Baseline, tolerances: Tolerances): Comparison {
  const regressions: Regression[] = [];
  const tooLittle: string[] = [];
  let judged = 0;
  const note = (kind: RegressionKind, where: string, figure: string, was: number, is: number, limit: number): void => {
    regressions.push({ kind, where, figure, before: was, now: is, limit });
  };
  for (const [route, was] of Object.entries(before.routes)) {
    const is = now.routes[route] ?? NOTHING;
    const expected = was.perSecond * now.seconds;
    if (expected < tolerances.minRequests || was.requests < tolerances.minRequests) {
      tooLittle.push(route);
      continue;
    }
    // Requests that come by chance vary by the root of their number, then and now.
    const chance = 3 * Math.sqrt(expected * (1 + now.seconds / before.seconds));
    const least = tolerances.throughput * expected;
    if (is.requests < least - chance) {
      note("throughput", route, "perSecond", was.perSecond, is.perSecond, was.perSecond * tolerances.throughput);
    }
    if (is.requests < tolerances.minRequests) {
      tooLittle.push(route);
      continue;
    }
    judged++;
    judgeRoute(route, was, is);
  }

  function judgeRoute(route: string, was: RouteFigures, is: RouteFigures): void {
    const figure = Math.min(was.requests, is.requests) * 0.01 >= BEYOND ? "p99Ms" : "p95Ms";
    const slowest = Math.max(was[figure] * tolerances.p99, was[figure] + LEAST_MS);
    if (is[figure] > slowest) note("latency", route, figure, was[figure], is[figure], slowest);
    const errors = was.errorRatio + tolerances.errors;
    if (is.errorRatio > errors && is.errorRatio * is.requests >= BEYOND) {
      note("errors", route, "errorRatio", was.errorRatio, is.errorRatio, errors);
    }
    const queries = Math.max(was.queriesPerRequest * tolerances.queries, was.queriesPerRequest + LEAST_QUERIES);
    if (is.queriesPerRequest > queries) {
      note("queries", route, "queriesPerRequest", was.queriesPerRequest, is.queriesPerRequest, queries);
    }
  }

  for (const [query, { calls }] of Object.entries(now.queries)) {
    if (query in before.queries || query.endsWith(" other") || calls < LEAST_CALLS) continue;
    note("new_query", query, "calls", 0, calls, LEAST_CALLS);
  }
  for (const [cache, was] of Object.entries(before.caches)) {
    const expected = (was.lookups / before.seconds) * now.seconds;
    if (expected < tolerances.minRequests || was.lookups < tolerances.minRequests) {
      tooLittle.push(cache);
      continue;
    }
    const is = now.caches[cache] ?? { lookups: 0, hitRatio: 0 };
    if (is.lookups < expected / 100 && judged > 0) {
      note("cache_unused", cache, "lookups", Math.round(expected), is.lookups, Math.round(expected / 100));
    } else if (is.lookups < tolerances.minRequests) {
      tooLittle.push(cache);
    } else if (is.hitRatio < was.hitRatio - tolerances.hitRatio) {
      note("hit_ratio", cache, "hitRatio", was.hitRatio, is.hitRatio, was.hitRatio - tolerances.hitRatio);
    }
  }
  return { regressions, judged, tooLittle };
}

const NOTHING: RouteFigures = {
  requests: 0,
  perSecond: 0,
  errorRatio: 0,
  p50Ms: 0,
  p95Ms: 0,
  p99Ms: 0,
  queriesPerRequest: 0,
};
