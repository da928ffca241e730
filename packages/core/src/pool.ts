import { poolTimed, poolTimedOut } from "./listeners.js";
import { sayOnce } from "./say.js";
import { count } from "./self.js";

/** What a pool says of itself at one moment. Read when metrics are collected, never added up from events. */
export interface PoolReading {
  /** Connections handed out. */
  readonly used: number;
  /** Connections open and free. */
  readonly idle: number;
  /** Callers waiting for a connection. */
  readonly pending: number;
  /** The most connections the pool may open. */
  readonly limit?: number | undefined;
  /** The fewest idle connections the pool keeps. */
  readonly idleMin?: number | undefined;
}

/** A pool of connections (or anything else that is lent and given back). */
export interface Pool {
  /** `db.client.connection.pool.name`; unique in the process. */
  readonly name: string;
  /** `db.system.name`; undefined for pools of other things. */
  readonly system: string | undefined;
  /** Undefined once the pool has ended or was collected: it then leaves the registry. */
  read(): PoolReading | undefined;
}

/** `wait`: from asking to having; `create`: opening a connection; `use`: from having to giving back. */
export type PoolTiming = "wait" | "create" | "use";

/** What the owner of a pool reports while the pool lives. */
export interface PoolReporter {
  readonly pool: Pool;
  timed(what: PoolTiming, ms: number): void;
  timedOut(): void;
  /** Takes the pool out of the registry; its gauges end. */
  close(): void;
}

const pools = new Set<Pool>();
const names = new Set<string>();

/** Registers a pool. A name that is taken gets `#2`, `#3`, … so that two pools never share a series. */
export function registerPool(wanted: Pool): PoolReporter {
  let name = wanted.name;
  // A pool that has ended gives its name back when it is read; nobody may have read since.
  if (names.has(name)) readPools();
  for (let n = 2; names.has(name); n++) name = `${wanted.name}#${n}`;
  names.add(name);
  const pool: Pool = { name, system: wanted.system, read: () => wanted.read() };
  pools.add(pool);
  return {
    pool,
    timed: (what, ms) => poolTimed(pool, what, ms),
    timedOut: () => poolTimedOut(pool),
    close: () => closePool(pool),
  };
}

function closePool(pool: Pool): void {
  if (pools.delete(pool)) names.delete(pool.name);
}

/** Every living pool with what it says now. One that throws (it may be the user's own) is left out and said once. */
export function readPools(): { pool: Pool; reading: PoolReading }[] {
  const result = [];
  for (const pool of pools) {
    try {
      const reading = pool.read();
      if (reading === undefined) closePool(pool);
      else result.push({ pool, reading });
    } catch (error) {
      count("telltale.instrumentation.errors", "telltale.part", "pool reading");
      sayOnce("error", `pool ${pool.name} has no metrics, reading it failed: ${String(error)}`);
    }
  }
  return result;
}
