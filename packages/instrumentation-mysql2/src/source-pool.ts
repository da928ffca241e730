import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  Attached,
  findMysqlTarget,
  type Guard,
  mysqlPoolName,
  type MysqlSystem,
  type PoolReporter,
  registerPool,
  replaceMethod,
  undoAll,
  type Waiter,
} from "@telltale/core";
import { stateOf } from "./connection-state.js";
import type { Connection, ConnectionCallback, Pool, Queue } from "./driver.js";
import { failUnsent, handOver, isGiven, patchCalls, type PoolLink } from "./pool-call.js";
import { isKnown, systemOf } from "./target.js";

interface KnownPool {
  readonly reporter: PoolReporter;
  /** Undefined while no server has said which it is. */
  readonly system: MysqlSystem | undefined;
}

/** What a pool was asked for a connection with. It is asked with the same again when a connection is lost for which somebody waits. */
class OwnCallback extends Attached {
  readonly #pool: Pool;

  constructor(callback: ConnectionCallback, pool: Pool) {
    super(callback);
    this.#pool = pool;
  }

  static isOf(callback: ConnectionCallback, pool: Pool): boolean {
    return #pool in callback && callback.#pool === pool;
  }
}

/**
 * Patches a pool's prototype: counts are read from the pool when metrics are collected; waits, use and creation are timed where connections
 * are given and come back. A connection that is handed on is used in the context of who waited for it, not of who has released it. Returns
 * what undoes it.
 */
export function patchPool(prototype: Pool, link: PoolLink, guard: Guard): () => void {
  const { getConnection, releaseConnection } = prototype;
  const pools = new WeakMap<Pool, KnownPool>();
  /** Of living pools, to be closed when the instrumentation is disabled; they hold no pool. */
  const open = new Set<PoolReporter>();
  let active = true;
  const isOn = (): boolean => active && guard.on;
  const calls = patchCalls(prototype, targetOf, guard);

  link.nameOf = (connection) =>
    isOn() && connection._pool ? know(connection._pool, connection).reporter.pool.name : undefined;

  function patchedGetConnection(this: Pool, callback: ConnectionCallback): unknown {
    const call = calls.take();
    if (!isOn() || typeof callback !== "function") return getConnection.call(this, callback);
    if (OwnCallback.isOf(callback, this)) return ask(this, callback);
    const askedMs = call?.startMs ?? performance.now();
    const caller = call?.context ?? context.active();
    let waiter: Waiter | undefined;
    const heard: ConnectionCallback = (error, connection) => {
      try {
        if (isGiven(error) || connection === undefined) {
          endWait(this, waiter, error);
          if (call !== undefined) failUnsent(targetOf(this), call, error);
        } else lend(this, connection, caller, askedMs, waiter);
      } catch (failure) {
        guard.failed(failure);
      }
      if (isGiven(error)) return context.with(caller, callback, undefined, error);
      if (call !== undefined) return handOver(link, call, callback, connection);
      return context.with(caller, callback, undefined, error, connection);
    };
    // oxlint-disable-next-line no-new
    new OwnCallback(heard, this);
    const waiting = sizeOf(this._connectionQueue);
    const result = ask(this, heard);
    if (sizeOf(this._connectionQueue) > waiting) waiter = pools.get(this)?.reporter.waits(caller, askedMs);
    return result;
  }

  /** It may open a connection. */
  function ask(pool: Pool, callback: ConnectionCallback): unknown {
    const before = sizeOf(pool._allConnections);
    const result = getConnection.call(pool, callback);
    const after = sizeOf(pool._allConnections);
    const opened = after > before ? pool._allConnections.get(after - 1) : undefined;
    if (opened !== undefined) stateOf(opened).createdMs = performance.now();
    return result;
  }

  /** It is told of each connection that comes back, or that is removed from the pool. */
  function patchedRelease(this: Pool, connection: Connection): unknown {
    if (isOn()) {
      try {
        const state = stateOf(connection);
        const { reporter, loan, takenMs } = state;
        const now = performance.now();
        state.takenMs = 0;
        if (takenMs !== 0) reporter?.timed("use", now - takenMs);
        if (loan !== undefined) reporter?.returned(loan, now);
      } catch (error) {
        guard.failed(error);
      }
    }
    return releaseConnection.call(this, connection);
  }

  function lend(
    pool: Pool,
    connection: Connection,
    caller: Context,
    askedMs: number,
    waiter: Waiter | undefined,
  ): void {
    const { reporter } = know(pool, connection);
    const state = stateOf(connection);
    const now = performance.now();
    state.reporter = reporter;
    if (waiter !== undefined) reporter.waited(waiter, now);
    if (state.createdMs !== 0) reporter.timed("create", now - state.createdMs);
    state.createdMs = 0;
    state.takenMs = now;
    state.loan ??= reporter.addConnection();
    reporter.taken(state.loan, caller, now);
    reporter.timed("wait", now - askedMs);
  }

  function endWait(pool: Pool, waiter: Waiter | undefined, error: unknown): void {
    const isTimeout = (error as { code?: unknown } | null | undefined)?.code === "ETIMEDOUT";
    const reporter = isTimeout ? know(pool, undefined).reporter : pools.get(pool)?.reporter;
    if (isTimeout) reporter?.timedOut(waiter);
    else if (waiter !== undefined) reporter?.stoppedWaiting(waiter);
  }

  function targetOf(pool: Pool) {
    const { connectionConfig } = pool.config;
    const known = pools.get(pool);
    const name = known?.reporter.pool.name;
    return findMysqlTarget("mysql2", known?.system ?? "mysql", connectionConfig, connectionConfig.database, name);
  }

  /** Its name is `host:port/database`. Whether it leads to a MySQL or a MariaDB is known with the first connection. */
  function know(pool: Pool, connection: Connection | undefined): KnownPool {
    const known = pools.get(pool);
    const isNews = connection !== undefined && isKnown(connection);
    if (known !== undefined && (known.system !== undefined || !isNews)) return known;
    const system = isNews ? systemOf(connection) : undefined;
    if (known !== undefined) {
      known.reporter.close();
      open.delete(known.reporter);
    }
    const { connectionConfig } = pool.config;
    const reference = new WeakRef(pool);
    const reporter: PoolReporter = registerPool({
      name: mysqlPoolName(connectionConfig, connectionConfig.database),
      system: system ?? "mysql",
      read() {
        const living = reference.deref();
        if (living === undefined || living._closed) {
          open.delete(reporter);
          return undefined;
        }
        const { length: idle } = living._freeConnections;
        const { connectionLimit } = living.config;
        return {
          used: living._allConnections.length - idle,
          idle,
          pending: living._connectionQueue.length,
          limit: connectionLimit === 0 ? undefined : connectionLimit,
        };
      },
    });
    open.add(reporter);
    const now = { reporter, system };
    pools.set(pool, now);
    return now;
  }

  const undo = [
    replaceMethod(prototype, "getConnection", () => patchedGetConnection),
    replaceMethod(prototype, "releaseConnection", () => patchedRelease),
    () => calls.undo(),
  ];
  return () => {
    active = false;
    for (const reporter of open) reporter.close();
    open.clear();
    undoAll(undo);
  };
}

/** What the driver keeps to itself may be gone some day, and a pool must not fail for it. */
function sizeOf(queue: Queue<unknown> | undefined): number {
  return queue?.length ?? 0;
}
