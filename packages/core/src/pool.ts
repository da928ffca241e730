import { performance } from "node:perf_hooks";
import type { Context } from "@opentelemetry/api";
import { hearsLoans, poolReturned, poolTimed, poolTimedOut, poolWaited } from "./listeners.js";
import { Line } from "./line.js";
import { Loan, Waiter } from "./loans.js";
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

/** Where the connections of an HTTP client lead. */
export interface HttpPlace {
  /** `server.address`; the path of a socket. */
  readonly address: string;
  readonly port: number | undefined;
}

/** A pool of connections (or anything else that is lent and given back), as its owner shows it. */
export interface PoolSource {
  /** `db.client.connection.pool.name`, or `telltale.pool.name`; unique in the process. */
  readonly name: string;
  /** `db.system.name`; undefined for pools of other things, which have metrics of their own. */
  readonly system: string | undefined;
  /** For connections of an HTTP client, which have metrics of their own: nobody may take them for connections to a database. */
  readonly http?: HttpPlace | undefined;
  /** Undefined once the pool has ended or was collected: it then leaves the registry. */
  read(): PoolReading | undefined;
}

/** A registered pool. */
export interface Pool extends PoolSource {
  /** False where its owner tells of no single loan: both lines are empty then. */
  readonly tellsLoans: boolean;
  /** When a connection was last opened, on the clock of `performance.now()`, and how long it took. */
  readonly openedMs: number;
  readonly openingMs: number;
  /** Connections that are lent, the oldest loan first. */
  readonly loans: Line<Loan>;
  /** Who waits because all are lent, the one who asked first in front. */
  readonly waiters: Line<Waiter>;
}

/** `wait`: from asking to having; `create`: opening a connection; `use`: from having to giving back. */
export type PoolTiming = "wait" | "create" | "use";

/**
 * What the owner of a pool reports while the pool lives. Who holds connections and who waits is optional, to be told with `addConnection`,
 * `taken`, `returned`, and `waits` followed by one of `waited`, `timedOut`, `stoppedWaiting`; it is noted while somebody listens to it.
 */
export interface PoolReporter {
  readonly pool: Pool;
  timed(what: PoolTiming, ms: number): void;
  /** A caller gave up. Without a waiter it did not wait for others to return a connection, but for one to open, or nobody knows. */
  timedOut(waiter?: Waiter): void;
  /** For a new connection: keep it with the connection, and tell it what runs there (`loan.runs`). */
  addConnection(): Loan;
  /** A connection was handed out, to whom is in the caller's context, not in the one in which another gave it back. */
  taken(loan: Loan, caller: Context, takenMs: number): void;
  returned(loan: Loan, nowMs?: number): void;
  /** All connections are lent, and a caller begins to wait for one. */
  waits(caller: Context, askedMs: number): Waiter | undefined;
  /** It has one now. To be told before `taken`. Whoever has read the clock, here and with `returned`, spares another look at it. */
  waited(waiter: Waiter, nowMs?: number): void;
  /** It failed for another reason than time. */
  stoppedWaiting(waiter: Waiter): void;
  /** Takes the pool out of the registry; its gauges end. */
  close(): void;
}

const pools = new Set<Pool>();
const names = new Set<string>();
/** Where nobody collects, pools are read when there are this many: twice those that lived when they were read last. */
const MIN_READ_AT = 100;
let readAt = MIN_READ_AT;

/** Registers a pool. A name that is taken gets `#2`, `#3`, … so that two pools never share a series. */
export function registerPool(wanted: PoolSource): PoolReporter {
  let name = wanted.name;
  // A pool that has ended leaves, and gives its name back, when it is read; nobody may have read since.
  if (names.has(name) || pools.size >= readAt) readPools();
  for (let n = 2; names.has(name); n++) name = `${wanted.name}#${n}`;
  names.add(name);
  const loans = new Line<Loan>();
  const waiters = new Line<Waiter>();
  const pool = {
    name,
    system: wanted.system,
    http: wanted.http,
    read: () => wanted.read(),
    tellsLoans: false,
    openedMs: 0,
    openingMs: 0,
    loans,
    waiters,
  };
  pools.add(pool);
  return {
    pool,
    timed(what, ms) {
      if (what === "create") {
        pool.openedMs = performance.now();
        pool.openingMs = ms;
      }
      poolTimed(pool, what, ms);
    },
    timedOut(waiter) {
      waiter?.leave();
      poolTimedOut(pool, waiter);
    },
    addConnection() {
      pool.tellsLoans = true;
      return new Loan();
    },
    taken(loan, caller, takenMs) {
      if (!hearsLoans()) return;
      if (loan.takenMs !== 0) loans.leave(loan);
      loan.take(caller, takenMs);
      loans.enter(loan);
    },
    returned(loan, nowMs = performance.now()) {
      if (loan.takenMs === 0) return;
      loans.leave(loan);
      if (waiters.first !== undefined) poolReturned(pool, loan, nowMs);
      loan.return();
    },
    waits(caller, askedMs) {
      return hearsLoans() ? new Waiter(waiters, caller, askedMs) : undefined;
    },
    waited(waiter, nowMs = performance.now()) {
      waiter.leave();
      poolWaited(pool, waiter, nowMs);
    },
    stoppedWaiting: (waiter) => waiter.leave(),
    close: () => closePool(pool),
  };
}

function closePool(pool: Pool): void {
  if (pools.delete(pool)) names.delete(pool.name);
}

/** Every registered pool; one that has ended may still be among them. */
export function allPools(): Iterable<Pool> {
  return pools;
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
  readAt = Math.max(MIN_READ_AT, 2 * pools.size);
  return result;
}
