import { type CacheResult, type PoolReading, registerPool, reportLookup } from "@telltale/core";
import { observeCache as observe } from "@telltale/instrumentation-caches";

/** A pool that Telltale cannot see by itself. */
export interface ObservedPool {
  /** `db.client.connection.pool.name`; a name that is taken gets a number. */
  name: string;
  /** `db.system.name`, for pools of database connections. */
  system?: string;
  /** Read when metrics are collected; undefined when the pool has ended. */
  read(): PoolReading | undefined;
}

/** What you report of an observed pool while it lives; durations in ms. */
export interface PoolObserver {
  waited(ms: number): void;
  created(ms: number): void;
  used(ms: number): void;
  timedOut(): void;
  /** Ends the pool's gauges. */
  close(): void;
}

/**
 * Puts a pool on the pool metrics: used, idle, pending, limit, and what you report of waits and use.
 *
 * @throws TypeError without a name or a `read`.
 */
export function observePool({ name, system, read }: ObservedPool): PoolObserver {
  if (typeof name !== "string" || name === "" || typeof read !== "function") {
    throw new TypeError('observePool needs { name: "…", read: () => ({ used, idle, pending }) }');
  }
  const reporter = registerPool({ name, system, read });
  return {
    waited: (ms) => reporter.timed("wait", ms),
    created: (ms) => reporter.timed("create", ms),
    used: (ms) => reporter.timed("use", ms),
    timedOut: () => reporter.timedOut(),
    close: () => reporter.close(),
  };
}

/** Counts lookups in a cache that Telltale cannot see: keys, not calls. At most 50 cache names in a process, then `other`. */
export function cacheLookup(cache: string, result: CacheResult, keys = 1): void {
  reportLookup(cache, result, keys);
}

/** Anything with a `get`: a Map, an LRU cache, a client of your own. */
export interface MapLike {
  get(key: never, ...rest: never[]): unknown;
}

/**
 * Counts what this one cache finds, under a name. Where it has a `set`, that is heard too, for findings: keys that are written and never
 * read. The object stays the same; the result puts its methods back, unless somebody has replaced them since.
 *
 * - An `LRUCache` (lru-cache 7 to 11): `get`, `fetch` and `memo`; what is given out after its time is `stale`.
 * - A `Keyv` or `NodeCache`: it is heard anyway, and gets the name. A cache of cache-manager 6 and 7: each of its tiers gets it, `users`,
 *   `users#2` and so on; one of major 5: its store is observed.
 * - A `Map`: undefined is a miss, and a promise in it is a value.
 * - Anything else: undefined and null are misses, and a promise is waited for: a rejection is an error, as a throw is.
 *
 * @throws TypeError when there is no such function.
 */
export function observeCache(name: string, cache: MapLike): () => void {
  return observe(name, cache);
}
