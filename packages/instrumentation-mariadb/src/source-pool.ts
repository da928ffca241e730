import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  failMysql,
  findMysqlTarget,
  type Guard,
  hasListeners,
  mysqlPoolName,
  PoolCall,
  type PoolReporter,
  registerPool,
  replaceMethod,
  sitesWanted,
  undoAll,
  type Waiter,
} from "@telltale/core";
import { Asked, setAsked } from "./calls.js";
import { stateOf, systemOf } from "./connection-state.js";
import type { CallParameters, Connection, ConnectionCallback, Pool } from "./driver.js";

type GetConnection = Pool["getConnection"];

/** What a pool was asked: for a connection, or to run something on one. */
class Ask {
  readonly pool: Pool;
  readonly caller: Context = context.active();
  readonly askedMs = performance.now();
  readonly call: PoolCall | undefined;
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
  const pools = new WeakMap<Pool, PoolReporter>();
  /** Of living pools, to be closed when the instrumentation is disabled; they hold no pool. */
  const open = new Set<PoolReporter>();

  const patchGet = (find: () => GetConnection): GetConnection =>
    function patchedGetConnection(this: Pool, parameters, callback) {
      if (!active || !guard.on) return Reflect.apply(find(), this, arguments);
      const before = this.taskQueueSize();
      const ask = new Ask(
        this,
        typeof parameters === "function" ? undefined : callFor(this, parameters, patchedGetConnection),
      );
      const given = typeof parameters === "function" ? parameters : callback;
      if (typeof given !== "function") return followPromise(ask, Reflect.apply(find(), this, arguments));
      const heard: ConnectionCallback = (error, connection) => {
        hear(ask, error, connection);
        return context.with(ask.caller, given, undefined, error, connection);
      };
      const result = find().call(this, typeof parameters === "function" ? heard : parameters, heard);
      waits(ask, before);
      return result;
    };

  function callFor(pool: Pool, parameters: CallParameters, below: GetConnection): PoolCall | undefined {
    if (typeof parameters?.sql !== "string" || !hasListeners()) return undefined;
    try {
      const call = new PoolCall(context.active(), parameters.sql);
      if (sitesWanted()) call.noteSite(targetOf(pool), below);
      setAsked(parameters, new Asked(call));
      return call;
    } catch (error) {
      guard.failed(error);
      return undefined;
    }
  }

  /** The driver's own promise, which its pools go on with themselves: ours hears of it first, and hides no rejection of theirs. */
  function followPromise(ask: Ask, promise: unknown): unknown {
    const before = ask.pool.taskQueueSize();
    (promise as Promise<Connection>).then(
      (connection) => hear(ask, undefined, connection),
      (error: unknown) => hear(ask, error, undefined),
    );
    // It looks for an idle one first.
    queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => waits(ask, before))));
    return promise;
  }

  function waits(ask: Ask, before: number): void {
    try {
      const { pool, caller, askedMs } = ask;
      if (pool.taskQueueSize() <= before || pool.activeConnections() < pool.opts.connectionLimit) return;
      ask.waiter = pools.get(pool)?.waits(caller, askedMs);
    } catch (error) {
      guard.failed(error);
    }
  }

  function hear(ask: Ask, error: unknown, connection: Connection | undefined): void {
    try {
      if (connection !== undefined) lend(ask, connection);
      else refuse(ask, error);
    } catch (failure) {
      guard.failed(failure);
    }
  }

  function lend({ pool, caller, askedMs, waiter }: Ask, connection: Connection): void {
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
  function refuse({ pool, call, waiter }: Ask, error: unknown): void {
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
    const reference = new WeakRef(pool);
    const reporter: PoolReporter = registerPool({
      name: mysqlPoolName(connOptions, connOptions.database),
      system: connection === undefined ? "mariadb" : systemOf(connection.info),
      read() {
        const living = reference.deref();
        if (living === undefined || living.closed) {
          open.delete(reporter);
          return undefined;
        }
        const { connectionLimit, minimumIdle } = living.opts;
        return {
          used: living.activeConnections(),
          idle: living.idleConnections(),
          pending: living.taskQueueSize(),
          limit: connectionLimit,
          idleMin: minimumIdle,
        };
      },
    });
    open.add(reporter);
    pools.set(pool, reporter);
    return reporter;
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
    for (const reporter of open) reporter.close();
    open.clear();
    undoAll(undo);
  };
}
