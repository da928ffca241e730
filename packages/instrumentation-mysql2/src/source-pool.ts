import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  attempt,
  Attached,
  findMysqlTarget,
  type Guard,
  KnownPools,
  mysqlPoolName,
  type MysqlSystem,
  type PoolReporter,
  replaceMethod,
  undoAll,
  type Waiter,
} from "@telltale/core";
import { stateOf } from "./connection-state.js";
import type { Connection, ConnectionCallback, Pool } from "./driver.js";
import { failUnsent, handOver, isGiven, patchCalls, type MysqlPoolLink } from "./pool-call.js";
import { isKnown, systemOf } from "./target.js";

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
export function patchPool(prototype: Pool, link: MysqlPoolLink, guard: Guard): () => void {
  const { getConnection, releaseConnection } = prototype;
  const pools = new KnownPools(readingOf);
  /** Of pools whose server has said which it is. */
  const systems = new WeakMap<Pool, MysqlSystem>();
  let active = true;
  const isOn = (): boolean => active && guard.on;
  const calls = patchCalls(prototype, targetOf, guard);

  link.nameOf = (connection) => (isOn() && connection._pool ? know(connection._pool, connection).pool.name : undefined);

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
    const waiting = sizeOf(this, "_connectionQueue");
    const result = ask(this, heard);
    attempt(guard, () => {
      if (sizeOf(this, "_connectionQueue") > waiting) waiter = pools.get(this)?.waits(caller, askedMs);
    });
    return result;
  }

  /** It may open a connection. */
  function ask(pool: Pool, callback: ConnectionCallback): unknown {
    const before = sizeOf(pool, "_allConnections");
    const result = getConnection.call(pool, callback);
    attempt(guard, () => {
      const after = sizeOf(pool, "_allConnections");
      const opened = after > before ? pool._allConnections.get(after - 1) : undefined;
      if (opened !== undefined) stateOf(opened).createdMs = performance.now();
    });
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
    const reporter = know(pool, connection);
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
    const reporter = isTimeout ? know(pool, undefined) : pools.get(pool);
    if (isTimeout) reporter?.timedOut(waiter);
    else if (waiter !== undefined) reporter?.stoppedWaiting(waiter);
  }

  function targetOf(pool: Pool) {
    const { connectionConfig } = pool.config;
    const name = pools.get(pool)?.pool.name;
    return findMysqlTarget("mysql2", systems.get(pool) ?? "mysql", connectionConfig, connectionConfig.database, name);
  }

  /** Its name is `host:port/database`. Whether it leads to a MySQL or a MariaDB is known with the first connection. */
  function know(pool: Pool, connection: Connection | undefined): PoolReporter {
    const known = pools.get(pool);
    const isNews = connection !== undefined && isKnown(connection);
    if (known !== undefined && (systems.has(pool) || !isNews)) return known;
    if (isNews) systems.set(pool, systemOf(connection));
    const { connectionConfig } = pool.config;
    return pools.register(pool, {
      name: mysqlPoolName(connectionConfig, connectionConfig.database),
      system: systems.get(pool) ?? "mysql",
    });
  }

  const undo = [
    replaceMethod(prototype, "getConnection", () => patchedGetConnection),
    replaceMethod(prototype, "releaseConnection", () => patchedRelease),
    () => calls.undo(),
  ];
  return () => {
    active = false;
    pools.close();
    undoAll(undo);
  };
}

function readingOf({ _closed, _allConnections, _freeConnections, _connectionQueue, config }: Pool) {
  if (_closed) return undefined;
  const { length: idle } = _freeConnections;
  return {
    used: _allConnections.length - idle,
    idle,
    pending: _connectionQueue.length,
    limit: config.connectionLimit === 0 ? undefined : config.connectionLimit,
  };
}

/** What the driver keeps to itself may be gone some day, and a method may be called without its pool: neither may fail for us. */
function sizeOf(pool: Partial<Pool> | undefined, queue: "_allConnections" | "_connectionQueue"): number {
  return pool?.[queue]?.length ?? 0;
}
