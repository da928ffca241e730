import { performance } from "node:perf_hooks";
import { type DatabaseTemplate, type Finding, lastSiteOf, type Request } from "@telltale/core";
import type { KeyPattern } from "./patterns.js";
import type { Missed, Rereads, UsedKey } from "./request.js";
import type { SharedWork } from "./stampede.js";
import type { CacheWindow } from "./window.js";
import { endpointOf, factsOfQuery, factsOfRequest, formatMs, summaryOf, wallTimeOf } from "../findings/describe.js";

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

const LOST =
  "The same keys are missed again and again: look at how long they live (TTL), at evictions (INFO evicted_keys, maxmemory), and at what deletes them.";
const NEVER_ASKED_AGAIN =
  "Most keys are asked for once: something in the key is too specific (a time, a session, an unsorted list of parameters). Leave it out, or do not cache this.";

export function lowRatioFinding(
  pattern: KeyPattern,
  window: CacheWindow,
  minRatio: number,
  template: DatabaseTemplate | undefined,
  request: Request | undefined,
  count: number,
): Finding {
  const { ratio, lookups, misses, keyed, again, fills, missesPerRequest, ms } = window;
  const endpoint = endpointOf(request);
  const missedIn = endpoint === undefined ? "" : `, ${endpoint} has missed it just now`;
  const reason = keyed < misses / 2 ? undefined : again > keyed / 2 ? "lost" : "never_again";
  return {
    ...about(pattern, template, request),
    kind: "cache_low_hit_ratio",
    title: `${pattern.text} hits ${percent(ratio)} of ${lookups} lookups in ${formatMs(ms)}${missedIn}`,
    advice: reason === undefined ? `${LOST} ${NEVER_ASKED_AGAIN}` : reason === "lost" ? LOST : NEVER_ASKED_AGAIN,
    count,
    durationMs: ms,
    reason,
    evidence: {
      cache: pattern.cache,
      pattern: pattern.text,
      hitRatio: round(ratio, 3),
      minHitRatio: minRatio,
      lookups,
      misses,
      missedBefore: again,
      fills,
      missesPerRequest: round(missesPerRequest),
    },
  };
}

/** A request that was slow because it missed much of a cache that others hit. */
export function missesFinding(pattern: KeyPattern, missed: Missed, request: Request, count: number): Finding {
  const { operation } = request;
  const requestMs = operation.endMs - operation.startMs;
  const query = missed.query === undefined ? "queries" : summaryOf(missed.query);
  return {
    ...about(pattern, missed.query, request),
    kind: "cache_low_hit_ratio",
    title: `${endpointOf(request)} misses ${missed.keys} keys in one request, most of ${pattern.text}, and spends ${formatMs(missed.queryMs)} of ${formatMs(requestMs)} on ${query} instead`,
    advice:
      "The cache hits elsewhere, and not for what this request asks for: fill it before (when the rows are written, or by a job), let these keys live longer, or make that query fast enough to do without.",
    count,
    durationMs: missed.queryMs,
    againstMs: requestMs,
    reason: "one_request",
    evidence: {
      cache: pattern.cache,
      pattern: pattern.text,
      misses: missed.keys,
      hitRatio: round(pattern.ratio, 3),
      queryMs: round(missed.queryMs),
    },
  };
}

export function stampedeFinding(work: SharedWork, pattern: KeyPattern, count: number): Finding {
  const {
    template,
    requests,
    totalMs,
    endpoints = new Map<string, number>(),
    route,
    traceId,
    spanId,
    sampled,
    endedMs,
  } = work;
  const [first] = [...endpoints].sort(([, a], [, b]) => b - a);
  const endpoint = first?.[0] === "" ? undefined : first?.[0];
  return {
    ...about(pattern, template, undefined),
    kind: "cache_stampede",
    title: `${requests} requests of ${endpoint} missed one key of ${pattern.text} at once, and each ran ${summaryOf(template)} for it (${formatMs(totalMs)} together)`,
    advice:
      "Let one ask and the others wait for its answer (share the promise per key in the process, a short lock in the cache across processes), or renew the key before it expires.",
    endpoint,
    route,
    ...factsOfQuery(template),
    count,
    durationMs: totalMs,
    reason: undefined,
    traceId,
    spanId,
    sampled,
    time: wallTimeOf(endedMs),
    callSite: lastSiteOf(template),
    evidence: {
      cache: pattern.cache,
      pattern: pattern.text,
      requests,
      sameQuery: requests,
      wastedMs: round((totalMs * (requests - 1)) / requests),
      endpoints: [...endpoints].map(([name, times]) => `${name} (${times})`).join(", "),
    },
  };
}

export function neverReadFinding(pattern: KeyPattern, sinceMs: number): Finding {
  return {
    ...about(pattern, pattern.template, undefined),
    kind: "cache_never_read",
    title: `${pattern.text} was written ${pattern.writes} times in ${formatMs(sinceMs)} and never read by this process`,
    advice:
      "If nobody else reads it, do not write it: it costs a call each time, and memory that other keys could have. If another process does, name the cache in `cacheFindings.ignoreCaches`.",
    count: 1,
    durationMs: sinceMs,
    reason: undefined,
    evidence: { cache: pattern.cache, pattern: pattern.text, writes: pattern.writes, reads: 0, scope: "this process" },
  };
}

export function sameKeyFinding(key: UsedKey, { busyMs }: Rereads, request: Request): Finding {
  const { operation } = request;
  const { pattern, reads, template } = key;
  const requestMs = operation.endMs - operation.startMs;
  return {
    ...about(pattern, template, request),
    kind: "repeated_lookup",
    title: `${endpointOf(request)} reads one key of ${pattern.text} ${reads} times (all but the first: ${formatMs(busyMs)} of ${formatMs(requestMs)})`,
    advice:
      "Read it once and keep the value for the rest of the request; of a hash, read all fields at once (HMGET, HGETALL).",
    ...factsOfQuery(template),
    count: reads,
    durationMs: busyMs,
    againstMs: requestMs,
    reason: "same key",
    callSite: template && lastSiteOf(template),
    evidence: { reason: "same key", cache: pattern.cache, pattern: pattern.text, reads },
  };
}

/** A finding about a cache is told from others by its pattern, where it is about no query. */
function about(pattern: KeyPattern, template: DatabaseTemplate | undefined, request: Request | undefined) {
  return {
    ...factsOfRequest(request),
    subject: pattern.cache,
    system: template?.system,
    namespace: template?.namespace,
    querySummary: undefined as string | undefined,
    queryText: undefined as string | undefined,
    fingerprint: pattern.text as string | undefined,
    waitMs: 0,
    againstMs: 0,
    time: wallTimeOf(performance.now()),
    callSite: template && lastSiteOf(template),
  };
}
