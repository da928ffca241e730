import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  type DatabaseTarget,
  endOperation,
  failOperation,
  findPostgresqlTarget,
  type Guard,
  hasListeners,
  KnownPools,
  PoolCall,
  type PoolLink,
  type PoolReading,
  type PoolReporter,
  replaceMethod,
  sitesWanted,
  undoAll,
  type Waiter,
} from "@telltale/core";
import { stateOf } from "./client-state.js";
import type { Client, ConnectCallback, Pool } from "./driver.js";

/** pg-pool's own words for a wait that took too long. */
const TIMEOUTS = new Set([
  "timeout exceeded when trying to connect",
  "Connection terminated due to connection timeout",
]);

/**
 * Patches a Pool prototype: counts are read from the pool when metrics are collected; waits, use and creation are timed at
 * the pool's own turning points. Returns what undoes it.
 */
export function patchPool(prototype: Pool, link: PoolLink, guard: Guard): () => void {
  const { connect, query, newClient, _acquireClient, _release } = prototype;
  const pools = new KnownPools(readingOf);
  /** Where pools lead, known with their first connection. */
  const targets = new WeakMap<Pool, DatabaseTarget>();
  let calling: PoolCall | undefined;
  /** False once undone: somebody may have wrapped ours meanwhile, and still call it. */
  let active = true;
  const isOn = (): boolean => active && guard.on;

  const patched: Record<string, (this: Pool, ...args: never[]) => unknown> = {
    connect: function patchedConnect(this: Pool, callback?: ConnectCallback): unknown {
      const call = calling;
      calling = undefined;
      if (!isOn() || (callback !== undefined && typeof callback !== "function")) return connect.call(this, callback);
      const askedMs = call?.startMs ?? performance.now();
      const caller = call?.context ?? context.active();
      const waiter = beginWait(this, caller, askedMs);
      const heard = (error: unknown, client: Client | undefined): void => {
        try {
          endWait(this, caller, askedMs, waiter, error, client);
          if (isGiven(error) && call?.text !== undefined) failUnsent(this, call, call.text, error);
        } catch (failure) {
          guard.failed(failure);
        }
      };
      if (callback === undefined) return connectWithPromise(this, connect, heard);
      if (call === undefined) {
        return connect.call(this, (error, client, release) => {
          heard(error, client);
          return context.with(caller, callback, undefined, error, client, release);
        });
      }
      // The pool's own callback: it calls `query` of the client at once, which takes the call and its context from the link.
      return connect.call(this, (error, client, release) => {
        heard(error, client);
        link.handedOver = isGiven(error) ? undefined : call;
        try {
          return callback(error, client, release);
        } finally {
          link.handedOver = undefined;
        }
      });
    },

    query: function patchedQuery(this: Pool, config: unknown, values: unknown, callback: unknown): unknown {
      if (!isOn() || !hasListeners()) return Reflect.apply(query, this, arguments);
      try {
        calling = new PoolCall(context.active(), textOf(config));
        if (sitesWanted()) calling.noteSite(targets.get(this), patchedQuery);
        // It runs when another caller's query ends or a connection is handed on: it gets its own context.
        if (typeof values === "function") arguments[1] = context.bind(calling.context, values);
        else if (typeof callback === "function") arguments[2] = context.bind(calling.context, callback);
      } catch (error) {
        guard.failed(error);
      }
      try {
        return Reflect.apply(query, this, arguments);
      } finally {
        calling = undefined;
      }
    },

    newClient: function patchedNewClient(this: Pool, waiter: unknown): void {
      const startMs = performance.now();
      newClient.call(this, waiter);
      if (!isOn()) return;
      try {
        const client = this._clients.at(-1);
        if (client === undefined) return;
        const state = stateOf(client);
        state.createdMs = startMs;
        state.poolOptions = this.options;
        const reporter = know(this, client);
        state.reporter = reporter;
        state.loan = reporter.addConnection();
      } catch (error) {
        guard.failed(error);
      }
    },

    _acquireClient: function patchedAcquire(
      this: Pool,
      client: Client,
      waiter: unknown,
      idle: unknown,
      isNew: boolean,
    ): unknown {
      if (isNew && isOn()) {
        try {
          const { createdMs, reporter } = stateOf(client);
          if (createdMs !== 0) reporter?.timed("create", performance.now() - createdMs);
        } catch (error) {
          guard.failed(error);
        }
      }
      return _acquireClient.call(this, client, waiter, idle, isNew);
    },

    _release: function patchedRelease(this: Pool, client: Client, idle: unknown, error: unknown): unknown {
      if (isOn()) {
        try {
          const state = stateOf(client);
          const { reporter, loan, takenMs } = state;
          const now = performance.now();
          state.takenMs = 0;
          if (takenMs !== 0) reporter?.timed("use", now - takenMs);
          if (loan !== undefined) reporter?.returned(loan, now);
        } catch (failure) {
          guard.failed(failure);
        }
      }
      return _release.call(this, client, idle, error);
    },
  };

  /** The pool's first connection tells where it leads, whatever the options were. Its name is `host:port/database`. */
  function know(pool: Pool, client: Client): PoolReporter {
    const known = pools.get(pool);
    if (known !== undefined) return known;
    const { host, port, database } = client;
    const reporter = pools.register(pool, { name: `${host}:${port}/${database}`, system: "postgresql" });
    targets.set(pool, findPostgresqlTarget("pg", host, port, database, reporter.pool.name));
    return reporter;
  }

  /** Only where all connections are lent: one that is still to be opened is nobody's to give back. */
  function beginWait(pool: Pool, caller: Context, askedMs: number): Waiter | undefined {
    try {
      if (pool.idleCount > pool.waitingCount) return undefined;
      if (pool.options.max === undefined || pool.totalCount < pool.options.max) return undefined;
      return pools.get(pool)?.waits(caller, askedMs);
    } catch (error) {
      guard.failed(error);
      return undefined;
    }
  }

  /** Use begins here, and not where the pool takes a client: it does so for itself too, when one is too old or came too late. */
  function endWait(
    pool: Pool,
    caller: Context,
    askedMs: number,
    waiter: Waiter | undefined,
    error: unknown,
    client: Client | undefined,
  ): void {
    if (!isGiven(error) && client !== undefined) {
      const state = stateOf(client);
      const { reporter, loan } = state;
      const now = performance.now();
      state.takenMs = now;
      if (waiter !== undefined) reporter?.waited(waiter, now);
      if (loan !== undefined) reporter?.taken(loan, caller, now);
      reporter?.timed("wait", now - askedMs);
      return;
    }
    const reporter = pools.get(pool);
    if (error instanceof Error && TIMEOUTS.has(error.message)) reporter?.timedOut(waiter);
    else if (waiter !== undefined) reporter?.stoppedWaiting(waiter);
  }

  /** A query that never got a connection is a failed call all the same. */
  function failUnsent(pool: Pool, call: PoolCall, text: string, error: unknown): void {
    const [client] = pool._clients;
    if (client !== undefined) know(pool, client);
    // Ended before it had any connection, it leads nowhere.
    const target = targets.get(pool) ?? findPostgresqlTarget("pg", undefined, undefined, undefined, undefined);
    const operation = call.start(target.templateOf(text), text, undefined, performance.now());
    failOperation(operation, error);
    endOperation(operation);
  }

  const undo = Object.entries(patched)
    // Older pools do these steps elsewhere; what cannot be timed is not timed.
    .filter(([name]) => typeof Reflect.get(prototype, name) === "function")
    .map(([name, method]) => replaceMethod(prototype, name, () => method));
  return () => {
    active = false;
    pools.close();
    undoAll(undo);
  };
}

function readingOf({ ended, totalCount, idleCount, waitingCount, options }: Pool): PoolReading | undefined {
  if (ended) return undefined;
  return {
    used: totalCount - idleCount,
    idle: idleCount,
    pending: waitingCount,
    limit: options.max,
    idleMin: options.min,
  };
}

/**
 * `connect()` without a callback. The pool would make a promise around its own callback; we make the same one around ours, so
 * that the wait is heard without a handler on the app's promise (which would hide an unhandled rejection).
 */
function connectWithPromise(
  pool: Pool,
  connect: Pool["connect"],
  heard: (error: unknown, client: Client | undefined) => void,
): unknown {
  let settle: ConnectCallback = () => {};
  const result = new pool.Promise<Client | undefined>((resolve, reject) => {
    settle = (error, client) => {
      heard(error, client);
      if (error) reject(error as Error);
      else resolve(client);
    };
  }).catch((error: unknown) => {
    // As the pool does: the stack then leads to the caller, not to a timer or a socket.
    if (error instanceof Error) Error.captureStackTrace(error);
    throw error;
  });
  connect.call(pool, settle);
  return result;
}

function isGiven(error: unknown): boolean {
  return error !== undefined && error !== null;
}

function textOf(config: unknown): string | undefined {
  if (typeof config === "string") return config;
  try {
    const text = (config as { text?: unknown } | null | undefined)?.text;
    return typeof text === "string" ? text : undefined;
  } catch {
    // A getter of the app's own has thrown; pg will meet it, too.
    return undefined;
  }
}
