import type { KeyPattern } from "./patterns.js";

/** What was seen of a pattern in a window that had enough lookups. */
export interface CacheWindow {
  /** Of the lookups, those that hit: 0 to 1. */
  readonly ratio: number;
  /** Of the window before; NaN where there was none. */
  readonly ratioBefore: number;
  readonly lookups: number;
  readonly misses: number;
  /** Of the misses, those whose keys are known, and of these, those of keys that were missed before. */
  readonly keyed: number;
  readonly again: number;
  /** Values that were put there. */
  readonly fills: number;
  readonly missesPerRequest: number;
  readonly ms: number;
  /** It is no cold start, and this process fills what it misses. */
  readonly isSettled: boolean;
}

/** A window with too few lookups goes on, for so many times as long. */
const MAX_WINDOWS = 10;
/** A ratio that has risen by so much is that of a cache that is being filled. */
const RISES = 0.05;
/** What is looked up and not filled is no cache: a list of bans, a flag that is seldom set. */
const MIN_FILLED = 0.2;

/** Ends a pattern's window, if it has had enough lookups. The first one never counts: the cache is cold, or so is what is known of it. */
export function closeWindow(
  pattern: KeyPattern,
  nowMs: number,
  windowMs: number,
  minLookups: number,
): CacheWindow | undefined {
  const { hits, misses, keyed, again, fills, missing, ratio: ratioBefore, sinceMs } = pattern;
  const lookups = hits + misses;
  pattern.slowRequestsBefore = pattern.slowRequests;
  pattern.slowRequests = 0;
  pattern.untold = undefined;
  if (minLookups === 0 || (lookups < minLookups && nowMs - sinceMs < MAX_WINDOWS * windowMs)) return undefined;
  pattern.hits = 0;
  pattern.misses = 0;
  pattern.keyed = 0;
  pattern.again = 0;
  pattern.fills = 0;
  pattern.missing = 0;
  pattern.sinceMs = nowMs;
  if (lookups < minLookups) {
    pattern.ratio = Number.NaN;
    return undefined;
  }
  const ratio = hits / lookups;
  const isFirst = pattern.windows++ === 0;
  pattern.ratio = isFirst ? Number.NaN : ratio;
  return {
    ratio,
    ratioBefore,
    lookups,
    misses,
    keyed,
    again,
    fills,
    missesPerRequest: missing === 0 ? 0 : misses / missing,
    ms: nowMs - sinceMs,
    isSettled: !isFirst && ratio - ratioBefore < RISES && (!pattern.tellsWrites || fills >= MIN_FILLED * misses),
  };
}
