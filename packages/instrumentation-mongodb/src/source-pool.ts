import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  attempt,
  type Guard,
  KnownPools,
  type PoolReporter,
  replaceMethod,
  undoAll,
  type Waiter,
} from "@telltale/core";
import { makeState, stateOf } from "./connection-state.js";
import type { Callback, Connection, ConnectionPool } from "./driver.js";

type CheckOut = ConnectionPool["checkOut"];

/** Patches a pool's prototype: counts are read from the pool when metrics are collected, times taken where connections go and come back. */
export function patchPool(prototype: ConnectionPool, guard: Guard): () => void {
  const pools = new KnownPools(readingOf);
  let active = true;
  const isOn = (): boolean => active && guard.on;

  const wrapCheckOut = (find: () => CheckOut): CheckOut =>
    function checkOut(this: ConnectionPool, given) {
      const original = find();
      if (!isOn()) return original.call(this, given);
      const caller = context.active();
      const askedMs = performance.now();
      let waiter: Waiter | undefined;
      let reporter: PoolReporter | undefined;
      attempt(guard, () => {
        reporter = know(this);
        if (mustWait(this)) waiter = reporter.waits(caller, askedMs);
      });
      const got = (connection: unknown): void =>
        attempt(guard, () => {
          if (reporter !== undefined) lend(this, reporter, connection as Connection, caller, askedMs, waiter);
        });
      const failed = (error: unknown): void =>
        attempt(guard, () => {
          if (isTimeout(error)) reporter?.timedOut(waiter);
          else if (waiter !== undefined) reporter?.stoppedWaiting(waiter);
        });
      if (typeof given === "function") {
        const callback = given as Callback;
        return original.call(this, function heard(this: unknown, error: unknown, connection: unknown) {
          if (error) failed(error);
          else if (connection) got(connection);
          const values = arguments as unknown as Parameters<Callback>;
          // It is called by whoever has given the connection back.
          return context.with(caller, () => Reflect.apply(callback, this, values));
        });
      }
      const result = original.call(this, given);
      // Whoever asks for a connection awaits it: no rejection is hidden here.
      if (result instanceof Promise) result.then(got, failed);
      return result;
    };

  const wrapCheckIn = (find: () => ConnectionPool["checkIn"]): ConnectionPool["checkIn"] =>
    function checkIn(this: ConnectionPool, connection) {
      if (isOn()) attempt(guard, () => takeBack(connection));
      return find().call(this, connection);
    };

  const wrapEmit = (find: () => ConnectionPool["emitAndLog"]): ConnectionPool["emitAndLog"] =>
    function emitAndLog(this: ConnectionPool, event, ...values) {
      if (event === "connectionReady" && isOn()) {
        attempt(guard, () => {
          const { durationMS } = (values[0] ?? {}) as { durationMS?: unknown };
          if (typeof durationMS === "number") know(this).timed("create", durationMS);
        });
      }
      return Reflect.apply(find(), this, [event, ...values]);
    };

  function know(pool: ConnectionPool): PoolReporter {
    return pools.get(pool) ?? pools.register(pool, { name: pool.address, system: "mongodb" });
  }

  const undo = [
    replaceMethod(prototype, "checkOut", wrapCheckOut),
    replaceMethod(prototype, "checkIn", wrapCheckIn),
    replaceMethod(prototype, "emitAndLog", wrapEmit),
  ];
  return () => {
    active = false;
    pools.close();
    undoAll(undo);
  };
}

function readingOf(pool: ConnectionPool) {
  if (pool.closed) return undefined;
  const { maxPoolSize, minPoolSize } = pool.options;
  return {
    used: pool.currentCheckedOutCount + pool.pendingConnectionCount,
    idle: pool.availableConnectionCount,
    pending: pool.waitQueueSize,
    limit: maxPoolSize === 0 ? undefined : maxPoolSize,
    idleMin: minPoolSize,
  };
}

/** Who asks at once stands in line first, even for what is idle. */
function mustWait({ currentCheckedOutCount, pendingConnectionCount, waitQueueSize, options }: ConnectionPool): boolean {
  const spokenFor = currentCheckedOutCount + pendingConnectionCount + waitQueueSize;
  return options.maxPoolSize > 0 && spokenFor >= options.maxPoolSize;
}

function lend(
  { address }: ConnectionPool,
  reporter: PoolReporter,
  connection: Connection,
  caller: Context,
  askedMs: number,
  waiter: Waiter | undefined,
): void {
  const state = makeState(connection, reporter, address);
  const now = performance.now();
  if (waiter !== undefined) reporter.waited(waiter, now);
  state.askedMs = askedMs;
  state.takenMs = now;
  reporter.taken(state.loan, caller, now);
  reporter.timed("wait", now - askedMs);
}

function takeBack(connection: Connection): void {
  const state = stateOf(connection);
  if (state === undefined || state.takenMs === 0) return;
  const now = performance.now();
  state.reporter.timed("use", now - state.takenMs);
  state.takenMs = 0;
  state.reporter.returned(state.loan, now);
}

/** With a time limit for whole operations, the pool's error is the cause of the driver's. */
function isTimeout(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as { name?: unknown; cause?: { name?: unknown } };
  return name === "MongoWaitQueueTimeoutError" || cause?.name === "MongoWaitQueueTimeoutError";
}
