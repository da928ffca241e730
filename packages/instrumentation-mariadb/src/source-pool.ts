import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  attempt,
  failMysql,
  findMysqlTarget,
  type Guard,
  hasListeners,
  KnownPools,
  mysqlPoolName,
  PoolCall,
  type PoolReporter,
  replaceMethod,
  sitesWanted,
  undoAll,
  type Waiter,
} from "@telltale/core";
import { EarlyCall, setEarlyCall } from "./calls.js";
import { stateOf, systemOf } from "./connection-state.js";
import type { CallParameters, Connection, ConnectionCallback, Pool } from "./driver.js";

type GetConnection = Pool["getConnection"];

/** What a pool was asked: for a connection, or to run something on one. */
class Asking {
  readonly pool: Pool;
  readonly caller: Context = context.active();
  readonly askedMs = performance.now();
  readonly call: PoolCall | undefined;
  /** How many waited already. */
  queuedBefore = Infinity;
  waiter: Waiter | undefined = undefined;

  constructor(pool: Pool, call: PoolCall | undefined) {
    this.pool = pool;
    this.call = call;
  }
}

/**
 * Patches the pool: counts are read from it when metrics are collected; waits and use are timed where connections are given and come back. A
 * connection that is handed on is used in the context of who waited for it, not of who has released it. Returns what undoes it.
 */
export function patchPool(prototype: Pool, guard: Guard): () => void {
  let active = true;
  const pools = new KnownPools(readingOf);

  const patchGet = (find: () => GetConnection): GetConnection =>
    function patchedGetConnection(this: Pool, parameters, callback) {
      if (!active || !guard.on) return Reflect.apply(find(), this, arguments);
      const asking = new Asking(
        this,
        typeof parameters === "function" ? undefined : callFor(this, parameters, patchedGetConnection),
      );
      attempt(guard, () => void (asking.queuedBefore = this.taskQueueSize()));
      const given = typeof parameters === "function" ? parameters : callback;
      if (typeof given !== "function") return followPromise(asking, Reflect.apply(find(), this, arguments));
      const heard: ConnectionCallback = (error, connection) => {
        hear(asking, error, connection);
        return context.with(asking.caller, given, undefined, error, connection);
      };
      const result = find().call(this, typeof parameters === "function" ? heard : parameters, heard);
      attempt(guard, () => waits(asking));
      return result;
    };

  function callFor(pool: Pool, parameters: CallParameters, below: GetConnection): PoolCall | undefined {
    if (typeof parameters?.sql !== "string" || !hasListeners()) return undefined;
    try {
      const call = new PoolCall(context.active(), parameters.sql);
      if (sitesWanted()) call.noteSite(targetOf(pool), below);
      setEarlyCall(parameters, new EarlyCall(call));
      return call;
    } catch (error) {
      guard.failed(error);
      return undefined;
    }
  }

  /** The driver's own promise, which its pools go on with themselves: ours hears of it first, and hides no rejection of theirs. */
  function followPromise(asking: Asking, promise: unknown): unknown {
    if (!(promise instanceof Promise)) return promise;
    promise.then(
      (connection: Connection) => hear(asking, undefined, connection),
      (error: unknown) => hear(asking, error, undefined),
    );
    // It looks for an idle one first.
    const look = (): void => attempt(guard, () => waits(asking));
    queueMicrotask(() => queueMicrotask(() => queueMicrotask(look)));
    return promise;
  }

  function waits(asking: Asking): void {
    const { pool, caller, askedMs, queuedBefore } = asking;
    if (pool.taskQueueSize() <= queuedBefore || pool.activeConnections() < pool.opts.connectionLimit) return;
    asking.waiter = pools.get(pool)?.waits(caller, askedMs);
  }

  function hear(asking: Asking, error: unknown, connection: Connection | undefined): void {
    attempt(guard, () => {
      if (connection !== undefined) lend(asking, connection);
      else refuse(asking, error);
    });
  }

  function lend({ pool, caller, askedMs, waiter }: Asking, connection: Connection): void {
    const reporter = know(pool, connection);
    const state = stateOf(connection);
    const nowMs = performance.now();
    state.taken(reporter);
    if (waiter !== undefined) reporter.waited(waiter, nowMs);
    if (state.openingMs !== 0) reporter.timed("create", state.openingMs);
    state.openingMs = 0;
    state.takenMs = nowMs;
    if (state.loan !== undefined) reporter.taken(state.loan, caller, nowMs);
    reporter.timed("wait", nowMs - askedMs);
  }

  /** A query that never got a connection is a failed call all the same. */
  function refuse({ pool, call, waiter }: Asking, error: unknown): void {
    const isLate = (error as { code?: unknown } | null | undefined)?.code === "ER_GET_CONNECTION_TIMEOUT";
    const reporter = isLate ? know(pool, undefined) : pools.get(pool);
    if (isLate) reporter?.timedOut(waiter);
    else if (waiter !== undefined) reporter?.stoppedWaiting(waiter);
    if (call?.text === undefined) return;
    failMysql(call.start(targetOf(pool).templateOf(call.text), call.text, undefined, performance.now()), error);
  }

  function targetOf(pool: Pool) {
    const { connOptions } = pool.opts;
    const known = pools.get(pool)?.pool;
    return findMysqlTarget(
      "mariadb",
      known?.system === "mysql" ? "mysql" : "mariadb",
      connOptions,
      connOptions.database,
      known?.name,
    );
  }

  /** Its name is `host:port/database`. */
  function know(pool: Pool, connection: Connection | undefined): PoolReporter {
    const known = pools.get(pool);
    if (known !== undefined) return known;
    const { connOptions } = pool.opts;
    return pools.register(pool, {
      name: mysqlPoolName(connOptions, connOptions.database),
      system: connection === undefined ? "mariadb" : systemOf(connection.info),
    });
  }

  type Return = Pool["release"];
  const patchReturn = (find: () => Return): Return =>
    function patchedReturn(this: Pool, connection) {
      try {
        if (active && guard.on) stateOf(connection).returned(performance.now());
      } catch (error) {
        guard.failed(error);
      }
      return find().call(this, connection);
    };

  const undo = [
    replaceMethod(prototype, "getConnection", patchGet),
    replaceMethod(prototype, "release", patchReturn),
    replaceMethod(prototype, "_destroy", patchReturn),
  ];
  return () => {
    active = false;
    pools.close();
    undoAll(undo);
  };
}

function readingOf(pool: Pool) {
  if (pool.closed) return undefined;
  const { connectionLimit, minimumIdle } = pool.opts;
  return {
    used: pool.activeConnections(),
    idle: pool.idleConnections(),
    pending: pool.taskQueueSize(),
    limit: connectionLimit,
    idleMin: minimumIdle,
  };
}
