import { performance } from "node:perf_hooks";
import { context } from "@opentelemetry/api";
import {
  attempt,
  endOperation,
  failPostgresql,
  type Guard,
  hasListeners,
  isSuppressed,
  PoolCall,
  replaceMethod,
  siteWanted,
  takeSite,
  undoAll,
} from "@telltale/core";
import { followConnection, stateOf } from "./connection-state.js";
import type { Query } from "./driver.js";
import type { OptionsSpy } from "./options-spy.js";
import { type PoolState, poolOf } from "./pool-state.js";
import { callOf, QueryCall, setCall } from "./query-call.js";
import { callBackIn, countRows, isEnd, losesConnection } from "./results.js";
import { watchSites } from "./sites.js";
import { textOf } from "./query-text.js";

/** Pools from which on it is looked which of them are gone. */
const MANY = 100;

/**
 * Patches the class of queries. A query is lazy: it is called where it is first awaited, executed or asked for its rows, and that is where its
 * operation begins and what its parent is, as nothing happens before; its site is where it is written. It waits until it is sent. What it comes
 * to is heard where the driver settles it, and nothing is attached to it. Returns what undoes it.
 */
export function patchQuery(prototype: Query, spy: OptionsSpy, guard: Guard): () => void {
  let active = true;
  const isOn = (): boolean => active && guard.on;
  const pools = new Set<WeakRef<PoolState>>();
  const sites = watchSites(prototype, guard);

  const patchHandle = (find: () => Query["handle"]): Query["handle"] =>
    function handle(this: Query) {
      if (!isOn()) return find().call(this);
      try {
        const call = callOf(this);
        if (call !== undefined) listen(this, call);
        else if (!this.executed && this.cancelled === null && hasListeners()) begin(this);
      } catch (error) {
        guard.failed(error);
      }
      return find().call(this);
    };

  function begin(query: Query): void {
    const caller = context.active();
    const pool = poolOf(query.canceller);
    const text = query.tagged ? undefined : query.strings[0];
    const call = new QueryCall(new PoolCall(caller, text), pool !== undefined && !isSuppressed(caller), pool);
    setCall(query, call);
    call.takenSite = sites.of(query);
    listen(query, call);
    if (pool?.wasAsked !== true) spyOptions(query, call);
    if (pool === undefined || (pool.handler !== undefined && pool.handler !== query.handler)) return;
    call.isPending = true;
    pool.pending += 1;
    if (pool.isExhausted()) queueMicrotask(() => attempt(guard, () => waits(call, pool)));
  }

  /** The driver has had the query by now. */
  function waits(call: QueryCall, pool: PoolState): void {
    if (call.isPending) call.waiter = pool.reporter?.waits(call.asked.context, call.asked.startMs);
  }

  function spyOptions(query: Query, call: QueryCall): void {
    spy(
      query,
      () =>
        isOn() && call.pool?.wasAsked !== true && (query.state === null || stateOf(query.state).options === undefined),
      (options) =>
        attempt(guard, () => {
          if (query.state !== null) stateOf(query.state).options ??= options;
          if (call.pool !== undefined) know(call.pool, options);
        }),
    );
  }

  function know(pool: PoolState, options: PoolState["options"]): void {
    if (!pool.wasAsked) {
      // A program that makes pools over and over leaves as many behind.
      if (pools.size >= MANY) for (const known of pools) if (known.deref() === undefined) pools.delete(known);
      pools.add(new WeakRef(pool));
    }
    pool.learn(options);
  }

  /** Hears what the query comes to. A cursor has other functions for that with each round. */
  function listen(query: Query, call: QueryCall): void {
    if (call.isDone) return;
    callBackIn(query, call);
    if (query.resolve === call.resolve) return;
    const { resolve, reject } = query;
    query.resolve = call.resolve = (value) => {
      try {
        if (isEnd(value)) succeed(call, value);
      } catch (error) {
        guard.failed(error);
      }
      return resolve(value);
    };
    query.reject = (error) => {
      try {
        fail(query, call, error);
      } catch (failure) {
        guard.failed(failure);
      }
      return reject(error);
    };
  }

  /** The driver writes the values down just before it sends the query, after its text. */
  function sends(query: Query): void {
    const call = callOf(query);
    if (!isOn() || call === undefined || call.connection !== undefined || call.isDone || query.state === null) return;
    const nowMs = performance.now();
    const { asked, pool } = call;
    const connection = stateOf(query.state);
    call.connection = connection;
    if (pool !== undefined && (connection.pool !== pool || !pool.connections.has(connection))) {
      if (connection.options !== undefined) know(pool, connection.options);
      pool.add(connection);
    }
    if (connection.connection === undefined) askForConnection(query);
    const isOwn = connection.isReserved();
    if (!isOwn && pool !== undefined) {
      // That of a file is its own.
      if (query.tagged || asked.text !== undefined) pool.handler = query.handler;
      if (call.waiter !== undefined) pool.reporter?.waited(call.waiter, nowMs);
      if (connection.running === 0) connection.take(asked.context, nowMs);
      pool.reporter?.timed("wait", nowMs - asked.startMs);
    }
    stopPending(call);
    connection.running += 1;
    if (!call.isTold || query.onlyDescribe === true || query.string === undefined) {
      if (pool !== undefined && connection.loan !== undefined) connection.loan.isUnseen = true;
      return;
    }
    const template = (pool ?? connection.pool)?.target.templateOf(query.string);
    if (template === undefined) return;
    const operation = asked.start(template, query.string, query.parameters, isOwn ? asked.startMs : nowMs);
    operation.takenSite = call.takenSite;
    if (query.tagged && siteWanted(template)) operation.takenSite = takeSite(template, String(query.origin));
    call.operation = operation;
    connection.loan?.runs(operation);
  }

  /** A query that begins a transaction is told its connection by the driver; any may be. */
  function askForConnection({ options, state }: Query): void {
    const { onexecute } = options;
    options.onexecute = (connection) => {
      options.onexecute = onexecute;
      if (onexecute === undefined) delete options.onexecute;
      attempt(guard, () => {
        if (state === null || stateOf(state).connection !== undefined) return;
        followConnection(stateOf(state), connection, guard);
      });
      return onexecute === undefined ? true : onexecute(connection);
    };
  }

  function stopPending(call: QueryCall): void {
    if (call.isPending && call.pool !== undefined) call.pool.pending -= 1;
    call.isPending = false;
    call.waiter = undefined;
  }

  function succeed(call: QueryCall, value: unknown): void {
    if (!ends(call)) return;
    call.connection?.hasRun(true);
    if (call.operation === undefined) return;
    call.operation.rows = call.rows ?? countRows(value);
    endOperation(call.operation);
  }

  function fail(query: Query, call: QueryCall, error: unknown): void {
    const { waiter, pool } = call;
    const isUnsent = call.connection === undefined;
    if (!ends(call)) return;
    if (isUnsent && pool !== undefined) {
      if ((error as { code?: unknown } | null | undefined)?.code === "CONNECT_TIMEOUT") pool.reporter?.timedOut(waiter);
      else if (waiter !== undefined) pool.reporter?.stoppedWaiting(waiter);
      if (call.isTold && query.onlyDescribe !== true) {
        const text = textOf(query);
        call.operation = call.asked.start(pool.target.templateOf(text), text, undefined, performance.now());
      }
    }
    if (call.operation !== undefined) failPostgresql(call.operation, error);
    call.connection?.hasRun(!losesConnection(error));
  }

  /** False for what has ended before. */
  function ends(call: QueryCall): boolean {
    if (call.isDone) return false;
    call.isDone = true;
    stopPending(call);
    if (call.connection !== undefined) call.connection.running -= 1;
    return true;
  }

  const parameters: PropertyDescriptor = {
    configurable: true,
    get: () => undefined,
    set(this: Query, value: unknown) {
      Object.defineProperty(this, "parameters", { value, writable: true, enumerable: true, configurable: true });
      try {
        sends(this);
      } catch (error) {
        guard.failed(error);
      }
    },
  };
  Object.defineProperty(prototype, "parameters", parameters);
  const undo = [
    sites.stop,
    replaceMethod(prototype, "handle", patchHandle),
    () => {
      const own = Object.getOwnPropertyDescriptor(prototype, "parameters");
      if (own?.set === parameters.set) Reflect.deleteProperty(prototype, "parameters");
    },
  ];
  return () => {
    active = false;
    undoAll([...undo, ...[...pools].map((reference) => () => reference.deref()?.leave())]);
  };
}
