import { performance } from "node:perf_hooks";
import { context } from "@opentelemetry/api";
import { type CacheResult, type PoolReading, type PoolReporter, registerPool, reportLookup } from "@telltale/core";
import { observeCache as observe } from "@telltale/instrumentation-caches";

/** A pool that Telltale cannot see by itself. */
export interface ObservedPool {
  /** `db.client.connection.pool.name`, or `telltale.pool.name` without a `system`; a name that is taken gets a number. */
  name: string;
  /** `db.system.name`, for pools of database connections: `db.client.connection.*`. Those of other things are `telltale.pool.*`. */
  system?: string;
  /** Read when metrics are collected; undefined when the pool has ended. */
  read(): PoolReading | undefined;
}

/** What you report of an observed pool while it lives; durations in ms, and what is none is left out. */
export interface PoolObserver {
  waited(ms: number): void;
  created(ms: number): void;
  used(ms: number): void;
  timedOut(): void;
  /**
   * Somebody asks for one now, in the context that is active; tell the result what comes of it. It times wait and use, in place of
   * `waited`, `used` and `timedOut`, and lets findings tell who holds what others wait for.
   */
  asks(): PoolAsk;
  /** Ends the pool's gauges. */
  close(): void;
}

/** One who asked; what is told first counts. */
export interface PoolAsk {
  /** Has one, from now until the result is called. Told again, it returns the same. */
  got(): () => void;
  timedOut(): void;
  /** Gets none, for another reason than time. */
  gaveUp(): void;
}

/**
 * Puts a pool on the pool metrics: used, idle, pending, limit, and what you report of waits and use. Nothing that it returns throws.
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
    asks: () => ask(reporter),
    close: () => reporter.close(),
  };
}

function ask(reporter: PoolReporter): PoolAsk {
  const caller = context.active();
  const askedMs = performance.now();
  const waiter = isExhausted(reporter) ? reporter.waits(caller, askedMs) : undefined;
  let isOver = false;
  let giveBack = (): void => {};
  const isFirst = (): boolean => !isOver && (isOver = true);
  return {
    got() {
      if (!isFirst()) return () => giveBack();
      const loan = reporter.addConnection();
      const takenMs = performance.now();
      if (waiter !== undefined) reporter.waited(waiter, takenMs);
      reporter.timed("wait", takenMs - askedMs);
      reporter.taken(loan, caller, takenMs);
      // What is done with it nobody tells: it may be in use when it looks idle.
      loan.isUnseen = true;
      giveBack = () => {
        giveBack = () => {};
        const now = performance.now();
        reporter.timed("use", now - takenMs);
        reporter.returned(loan, now);
      };
      return () => giveBack();
    },
    timedOut() {
      if (isFirst()) reporter.timedOut(waiter);
    },
    gaveUp() {
      if (isFirst() && waiter !== undefined) reporter.stoppedWaiting(waiter);
    },
  };
}

/** Whether all are lent; who asks while one is still to be made waits for nobody. Where reading fails, that is said when metrics are. */
function isExhausted({ pool }: PoolReporter): boolean {
  try {
    const reading = pool.read();
    if (reading?.limit === undefined) return false;
    return reading.idle <= reading.pending && reading.used + reading.idle >= reading.limit;
  } catch {
    return false;
  }
}

/**
 * Counts lookups in a cache that Telltale cannot see: keys, not calls; what is no whole number of keys is left out. At most 50 cache names in a
 * process, then `other`.
 */
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
