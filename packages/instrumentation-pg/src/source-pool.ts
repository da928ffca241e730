import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  type DatabaseTarget,
  endOperation,
  failOperation,
  findPostgresqlTarget,
  type Guard,
  hasListeners,
  PoolCall,
  type PoolReporter,
  registerPool,
  sitesWanted,
  type Waiter,
} from "@telltale/core";
import { stateOf } from "./client-state.js";
import type { Client, ConnectCallback, Pool } from "./driver.js";

/** Where the pool's part and the client's part of the instrumentation meet. */
export interface PoolLink {
  /** Set while a pool hands a client over to the `pool.query` that waited for it; the client's `query` takes it. */
  handedOver: PoolCall | undefined;
}

/** What is known of a pool from its first connection on. */
interface KnownPool {
  readonly reporter: PoolReporter;
  readonly target: DatabaseTarget;
}

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
  const pools = new WeakMap<Pool, KnownPool>();
  /** Of living pools, to be closed when the instrumentation is disabled; they hold no pool. */
  const open = new Set<PoolReporter>();
  let calling: PoolCall | undefined;
  /** False once undone: somebody may have wrapped ours meanwhile, and still call it. */
  let active = true;
  const isOn = (): boolean => active && guard.on;

  const patched: Partial<Record<keyof Pool, unknown>> = {
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
      calling = new PoolCall(context.active(), textOf(config));
      if (sitesWanted()) noteSite(this, calling, patchedQuery);
      // It runs when another caller's query ends or a connection is handed on: it gets its own context.
      if (typeof values === "function") arguments[1] = context.bind(calling.context, values);
      else if (typeof callback === "function") arguments[2] = context.bind(calling.context, callback);
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
        const { reporter } = know(this, client);
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
        const { createdMs, reporter } = stateOf(client);
        if (createdMs !== 0) reporter?.timed("create", performance.now() - createdMs);
      }
      return _acquireClient.call(this, client, waiter, idle, isNew);
    },

    _release: function patchedRelease(this: Pool, client: Client, idle: unknown, error: unknown): unknown {
      if (isOn()) {
        const state = stateOf(client);
        const { reporter, loan, takenMs } = state;
        const now = performance.now();
        state.takenMs = 0;
        if (takenMs !== 0) reporter?.timed("use", now - takenMs);
        if (loan !== undefined) reporter?.returned(loan, now);
      }
      return _release.call(this, client, idle, error);
    },
  };

  function noteSite(pool: Pool, call: PoolCall, below: (...args: never[]) => unknown): void {
    try {
      call.noteSite(pools.get(pool)?.target, below);
    } catch (error) {
      guard.failed(error);
    }
  }

  /** The pool's first connection tells where it leads, whatever the options were. Its name is `host:port/database`. */
  function know(pool: Pool, client: Client): KnownPool {
    const known = pools.get(pool);
    if (known !== undefined) return known;
    const { host, port, database } = client;
    const reference = new WeakRef(pool);
    const reporter: PoolReporter = registerPool({
      name: `${host}:${port}/${database}`,
      system: "postgresql",
      read() {
        const living = reference.deref();
        if (living === undefined || living.ended) {
          open.delete(reporter);
          return undefined;
        }
        const { totalCount, idleCount, waitingCount, options } = living;
        return {
          used: totalCount - idleCount,
          idle: idleCount,
          pending: waitingCount,
          limit: options.max,
          idleMin: options.min,
        };
      },
    });
    open.add(reporter);
    const now = { reporter, target: findPostgresqlTarget("pg", host, port, database, reporter.pool.name) };
    pools.set(pool, now);
    return now;
  }

  /** Only where all connections are lent: one that is still to be opened is nobody's to give back. */
  function beginWait(pool: Pool, caller: Context, askedMs: number): Waiter | undefined {
    try {
      if (pool.idleCount > pool.waitingCount) return undefined;
      if (pool.options.max === undefined || pool.totalCount < pool.options.max) return undefined;
      return pools.get(pool)?.reporter.waits(caller, askedMs);
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
    const reporter = pools.get(pool)?.reporter;
    if (error instanceof Error && TIMEOUTS.has(error.message)) reporter?.timedOut(waiter);
    else if (waiter !== undefined) reporter?.stoppedWaiting(waiter);
  }

  /** A query that never got a connection is a failed call all the same. */
  function failUnsent(pool: Pool, call: PoolCall, text: string, error: unknown): void {
    const [client] = pool._clients;
    const known = pools.get(pool) ?? (client === undefined ? undefined : know(pool, client));
    // Ended before it had any connection, it leads nowhere.
    const target = known?.target ?? findPostgresqlTarget("pg", undefined, undefined, undefined, undefined);
    const operation = call.start(target.templateOf(text), text, undefined, performance.now());
    failOperation(operation, error);
    endOperation(operation);
  }

  for (const [name, method] of Object.entries(patched)) {
    const original = (prototype as unknown as Record<string, (...args: never[]) => unknown>)[name];
    // Older pools do these steps elsewhere; what cannot be timed is not timed.
    if (typeof original !== "function") continue;
    Object.defineProperty(method, "name", { value: original.name });
    Object.defineProperty(method, "length", { value: original.length });
    Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true, enumerable: false });
  }
  return () => {
    active = false;
    for (const reporter of open) reporter.close();
    open.clear();
    const originals = { connect, query, newClient, _acquireClient, _release };
    for (const [name, method] of Object.entries(originals)) {
      if (Reflect.get(prototype, name) === patched[name as keyof Pool]) {
        Object.defineProperty(prototype, name, {
          value: method,
          writable: true,
          configurable: true,
          enumerable: false,
        });
      }
    }
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
  const text = (config as { text?: unknown } | null | undefined)?.text;
  return typeof text === "string" ? text : undefined;
}
