import { METRICS } from "@telltale/core";
import type { Store } from "../store/open-store.js";
import type { CacheItem, Caches, FindingItem } from "./answers.js";
import { textOf } from "./attributes.js";
import { CACHE_SYSTEMS, isLookup } from "./cache-systems.js";
import { allFindings } from "./findings.js";
import { type Increase, increasesOf } from "./increases.js";
import { addUp, ratesOf, totalOf } from "./over-time.js";
import { readMinutes, readText } from "./parameters.js";
import { type RecentCall, type RecentCalls, readRecentCalls } from "./recent-calls.js";
import { readPoints, readSeries } from "./series.js";
import { readServices } from "./services.js";
import { emptySteps, stepsOf, type TimeWindow, windowOf } from "./time-window.js";

const MAX_CACHES = 200;
const MAX_PATTERNS = 20;

/** A cache as metrics tell of it, as spans do, or both. */
interface Gathered {
  readonly service: string;
  readonly cache: string;
  readonly hits: Increase[][];
  readonly misses: Increase[][];
  readonly calls: RecentCall[];
}

type Gather = (service: string, cache: string) => Gathered;

/**
 * `GET /api/caches`. Keys looked up are counted by the metric; where a service has none, by its newest spans; where these do not say what
 * came of a call, only the calls are known.
 */
export function answerCaches(store: Store, url: URL, nowMs: number): Caches {
  const window = windowOf(nowMs, readMinutes(url, 15));
  const service = readText(url, "service");
  const caches = new Map<string, Gathered>();
  const gather: Gather = (ofService, cache) => {
    const key = JSON.stringify([ofService, cache]);
    let gathered = caches.get(key);
    if (gathered === undefined) {
      gathered = { service: ofService, cache, hits: [], misses: [], calls: [] };
      caches.set(key, gathered);
    }
    return gathered;
  };
  const recent = readRecentCalls(store, window);
  gatherCalls(store, recent, service, gatherMetrics(store, window, service, gather), gather);
  const findings = allFindings(store);
  const items = [...caches.values()]
    .slice(0, MAX_CACHES)
    .map((gathered) => describe(gathered, window, recent, findings))
    .sort((a, b) => b.hits + b.misses - a.hits - a.misses || (a.cache < b.cache ? -1 : 1));
  return { fromMs: window.fromMs, toMs: window.toMs, caches: items };
}

/** What is there and too old is no hit; what failed is no lookup. Returns the services that tell of any. */
function gatherMetrics(store: Store, window: TimeWindow, service: string | undefined, gather: Gather): Set<string> {
  const telling = new Set<string>();
  for (const series of readSeries(store, [METRICS.cacheLookups.name], service)) {
    const { attributes } = series;
    const result = textOf(attributes, "telltale.cache.result");
    if (result === "error") continue;
    const increases = increasesOf(readPoints(store, series, window), series);
    if (!increases.some((increase) => totalOf([increase], window, () => 1) > 0)) continue;
    const gathered = gather(series.service, textOf(attributes, "telltale.cache.name") ?? "other");
    (result === "hit" ? gathered.hits : gathered.misses).push(increases);
    telling.add(series.service);
  }
  return telling;
}

function gatherCalls(
  store: Store,
  { calls, attributesOf }: RecentCalls,
  wanted: string | undefined,
  telling: Set<string>,
  gather: Gather,
): void {
  const services = readServices(store);
  const untold: { readonly service: string; readonly call: RecentCall }[] = [];
  for (const call of calls) {
    const service = services.get(call.resourceId) ?? "";
    if (wanted !== undefined && service !== wanted) continue;
    if (call.hits + call.misses > 0) {
      telling.add(service);
      gather(service, textOf(attributesOf(call.fingerprint), "telltale.cache.name") ?? call.system).calls.push(call);
    } else if (CACHE_SYSTEMS.includes(call.system)) untold.push({ service, call });
  }
  // Of a service that tells of its lookups, all other commands are none.
  for (const { service, call } of untold) {
    if (!telling.has(service) && isLookup(attributesOf(call.fingerprint)))
      gather(service, call.system).calls.push(call);
  }
}

function describe(
  { service, cache, hits, misses, calls }: Gathered,
  window: TimeWindow,
  recent: RecentCalls,
  findings: readonly FindingItem[],
): CacheItem {
  const isMeasured = hits.length + misses.length > 0;
  const valueOf = ({ value }: Increase): number => value;
  const ratesOfAll = (all: readonly Increase[][]): (number | null)[] =>
    addUp(
      all.map((increases) => ratesOf(increases, window, valueOf)),
      window,
    );
  const hitRates = ratesOfAll(hits);
  const missRates = ratesOfAll(misses);
  const lookups = isMeasured ? addUp([hitRates, missRates], window) : emptySteps(window);
  const count = (all: readonly Increase[][], ofCall: (call: RecentCall) => number): number =>
    isMeasured
      ? Math.round(all.reduce((sum, increases) => sum + totalOf(increases, window, valueOf), 0))
      : calls.reduce((sum, call) => sum + ofCall(call), 0);
  const hitCount = count(hits, (call) => call.hits);
  const missCount = count(misses, (call) => call.misses);
  const told = calls.filter((call) => call.hits + call.misses > 0);
  return {
    service,
    cache,
    hits: hitCount,
    misses: missCount,
    hitRatio: hitCount + missCount === 0 ? null : hitCount / (hitCount + missCount),
    hitRatios: stepsOf(
      window,
      lookups.map((rate, step) => (rate === null || rate === 0 ? null : (hitRates[step] ?? 0) / rate)),
    ),
    lookups: stepsOf(window, lookups),
    missesPerRequest: missesPerRequest(told),
    patterns: patternsOf(calls, recent),
    findings: findings.filter((item) => item.service === service && item.evidence["cache"] === cache && !item.isMuted),
  };
}

function missesPerRequest(calls: readonly RecentCall[]): number | null {
  const requests = new Map<string, number>();
  for (const { traceId, resourceId, route, misses } of calls) {
    if (route === undefined) continue;
    const key = `${traceId} ${resourceId}`;
    requests.set(key, (requests.get(key) ?? 0) + misses);
  }
  if (requests.size === 0) return null;
  return [...requests.values()].reduce((sum, each) => sum + each, 0) / requests.size;
}

/** Of calls that do not say what came of them, each is one lookup. */
function patternsOf(calls: readonly RecentCall[], { attributesOf }: RecentCalls): CacheItem["patterns"] {
  const patterns = new Map<string, { pattern: string; lookups: number; misses: number | null }>();
  for (const { fingerprint, hits, misses, system } of calls) {
    const attributes = attributesOf(fingerprint);
    const pattern =
      textOf(attributes, "db.query.text", "db.statement", "db.query.summary", "db.operation.name", "db.operation") ??
      system;
    const known = patterns.get(pattern) ?? { pattern, lookups: 0, misses: null };
    patterns.set(pattern, known);
    known.lookups += Math.max(1, hits + misses);
    if (hits + misses > 0) known.misses = (known.misses ?? 0) + misses;
  }
  return [...patterns.values()].sort((a, b) => b.lookups - a.lookups).slice(0, MAX_PATTERNS);
}
