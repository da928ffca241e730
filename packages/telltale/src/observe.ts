import { performance } from "node:perf_hooks";
import { context } from "@opentelemetry/api";
import {
  type CacheResult,
  type PoolReading,
  type PoolReporter,
  registerPool,
  reportLookup,
  reportWrite,
} from "@telltale/core";

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

/** Counts lookups in a cache that Telltale cannot see: keys, not calls. At most 50 cache names in a process, then `other`. */
export function cacheLookup(cache: string, result: CacheResult, keys = 1): void {
  reportLookup(cache, result, keys);
}

/** Anything with a `get`: a Map, an LRU cache, a client of your own. */
export interface MapLike {
  get(key: never, ...rest: never[]): unknown;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Counts what `get` of this one object finds: undefined and null are misses, a rejection or a throw is an error. Where it has a `set`, that
 * is heard too, for findings: keys that are written and never read. The object stays the same; the result puts its methods back, unless
 * somebody has replaced them since.
 *
 * @throws TypeError when there is no such function.
 */
export function observeCache(name: string, cache: MapLike): () => void {
  if (typeof cache?.get !== "function") {
    throw new TypeError('observeCache needs a name and an object with a function "get"');
  }
  const original = cache.get as Method;
  const undo = [
    replace(cache, "get", function get(...args) {
      const [key] = args;
      const found = (value: unknown): unknown => {
        reportLookup(name, value === undefined || value === null ? "miss" : "hit", 1, undefined, undefined, key);
        return value;
      };
      const failed = (error: unknown): never => {
        reportLookup(name, "error");
        throw error;
      };
      let value: unknown;
      try {
        value = original.apply(this, args);
      } catch (error) {
        return failed(error);
      }
      return value instanceof Promise ? value.then(found, failed) : found(value);
    }),
  ];
  const { set } = cache as { set?: unknown };
  if (typeof set === "function") {
    undo.push(
      replace(cache, "set", function (...args) {
        const result: unknown = (set as Method).apply(this, args);
        reportWrite(name, args[0]);
        return result;
      }),
    );
  }
  return () => {
    for (const step of undo) step();
  };
}

function replace(target: object, name: "get" | "set", method: Method): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, {
    value: method,
    writable: true,
    configurable: true,
    enumerable: own?.enumerable ?? false,
  });
  return () => {
    // Whoever has wrapped it since goes on.
    if (Reflect.get(target, name) !== method) return;
    if (own !== undefined) Object.defineProperty(target, name, own);
    else Reflect.deleteProperty(target, name);
  };
}
