import { context } from "@opentelemetry/api";
import {
  type DatabaseOperation,
  endOperation,
  failOperation,
  type Guard,
  hasListeners,
  isSuppressed,
  startDatabaseOperation,
} from "@telltale/core";
import { stateOf } from "./client-state.js";
import type { Client, Query, Result } from "./driver.js";
import { callOf, QueryCall, setCall } from "./query-call.js";
import type { PoolCall, PoolLink } from "./source-pool.js";
import { findTarget } from "./target.js";

/**
 * Patches `Client.prototype.query`: one operation per query, whatever form the call has. Promises and callbacks are left as
 * they are; the end is heard where the connection tells the query object of it, which serves cursors and streams too.
 * Returns what undoes it.
 */
export function patchClient(prototype: Client, queryPrototype: Query, link: PoolLink, guard: Guard): () => void {
  const { query, _pulseQueryQueue } = prototype;
  /** False once undone: somebody may have wrapped ours meanwhile, and still call it. */
  let active = true;
  /** The `query` call that is on the stack, until its query object is known. */
  let starting: QueryCall | undefined;

  function patchedQuery(this: Client, config: unknown, values?: unknown, callback?: unknown): unknown {
    const call = link.handedOver;
    link.handedOver = undefined;
    const operation = active && guard.on && hasListeners() ? begin(this, config, values, call) : undefined;
    if (operation === undefined) return query.call(this, config, values, callback);
    if (isSubmittable(config)) follow(config, operation);
    else starting = new QueryCall(operation, call === undefined && hasCallback(config, values, callback));
    try {
      return query.call(this, config, values, callback);
    } catch (error) {
      failOperation(operation, error);
      endOperation(operation);
      throw error;
    } finally {
      // Not queued: the connection is gone or was closed, and the query fails with the next tick.
      if (starting?.operation === operation) {
        starting = undefined;
        failOperation(operation, new Error("the client is not queryable"));
        endOperation(operation);
      }
    }
  }

  function begin(
    client: Client,
    config: unknown,
    values: unknown,
    call: PoolCall | undefined,
  ): DatabaseOperation | undefined {
    try {
      const parent = call?.context ?? context.active();
      if (isSuppressed(parent) || (isSubmittable(config) && Object.isFrozen(config))) return undefined;
      const text = textOf(config);
      if (text === undefined) return undefined;
      const state = stateOf(client);
      state.target ??= findTarget(client.host, client.port, client.database, state.poolName);
      const template = state.target.templateOf(text);
      const bound = valuesOf(config, values);
      if (call === undefined) return startDatabaseOperation(template, text, bound, parent);
      // Handed over in this very moment.
      const waitMs = Math.max(0, state.takenMs - call.startMs);
      return startDatabaseOperation(template, text, bound, parent, call.startMs, waitMs);
    } catch (error) {
      guard.failed(error);
      return undefined;
    }
  }

  /** pg makes its query object inside of `query` and puts it last in the queue just before it looks at the queue. */
  function patchedPulse(this: Client): void {
    if (starting !== undefined) {
      try {
        const queued = (this._queryQueue ?? this.queryQueue)?.at(-1);
        if (queued !== undefined) setCall(queued, starting);
        starting = undefined;
      } catch (error) {
        guard.failed(error);
      }
    }
    _pulseQueryQueue.call(this);
  }

  const { handleReadyForQuery, handleError } = queryPrototype;
  function patchedReady(this: Query, connection: unknown): unknown {
    const call = callOf(this);
    if (call === undefined) return handleReadyForQuery.call(this, connection);
    succeed(this, call.operation);
    if (!call.callsBack) return handleReadyForQuery.call(this, connection);
    return context.with(call.operation.context, handleReadyForQuery, this, connection);
  }
  function patchedError(this: Query, error: unknown, connection: unknown): unknown {
    const call = callOf(this);
    if (call === undefined) return handleError.call(this, error, connection);
    fail(call.operation, error);
    if (!call.callsBack) return handleError.call(this, error, connection);
    return context.with(call.operation.context, handleError, this, error, connection);
  }

  function succeed(query: Query, operation: DatabaseOperation): void {
    try {
      operation.rows = countRows(query);
      endOperation(operation);
    } catch (error) {
      guard.failed(error);
    }
  }

  function fail(operation: DatabaseOperation, error: unknown): void {
    try {
      failOperation(operation, error);
      const code = (error as { code?: unknown } | undefined)?.code;
      if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) operation.statusCode = code;
      endOperation(operation);
    } catch (failure) {
      guard.failed(failure);
    }
  }

  /** A cursor, a stream or a query object of the app: it may be of any class, so the object itself is listened to. */
  function follow(submitted: Query, operation: DatabaseOperation): void {
    if (Object.getPrototypeOf(submitted) === queryPrototype) {
      setCall(submitted, new QueryCall(operation, true));
      return;
    }
    let rows = 0;
    const heard: Partial<Record<Message, (first: unknown) => void>> = {
      handleDataRow: () => void rows++,
      handleReadyForQuery() {
        operation.rows = rows;
        endOperation(operation);
      },
      handleError: (error) => fail(operation, error),
    };
    const handlers = submitted as unknown as Record<Message, ((...args: unknown[]) => unknown) | undefined>;
    for (const message of MESSAGES) {
      const original = handlers[message];
      if (typeof original !== "function") continue;
      const hear = heard[message];
      // In the caller's context, as a cursor calls the app back from these.
      handlers[message] = function handle(this: unknown, ...args: unknown[]): unknown {
        hear?.(args[0]);
        return context.with(operation.context, original, this, ...args);
      };
    }
  }

  const undo = [
    replace(prototype, "query", patchedQuery),
    replace(prototype, "_pulseQueryQueue", patchedPulse),
    replace(queryPrototype, "handleReadyForQuery", patchedReady),
    replace(queryPrototype, "handleError", patchedError),
  ];
  return () => {
    active = false;
    for (const step of undo) step();
  };
}

/** What a connection tells a query object. */
const MESSAGES = [
  "handleRowDescription",
  "handleDataRow",
  "handlePortalSuspended",
  "handleCommandComplete",
  "handleEmptyQuery",
  "handleReadyForQuery",
  "handleError",
] as const;
type Message = (typeof MESSAGES)[number];

function replace<T extends object, K extends keyof T & string>(target: T, name: K, method: T[K]): () => void {
  const original = Object.getOwnPropertyDescriptor(target, name);
  if (original === undefined || typeof original.value !== "function") throw new Error(`pg has no ${name} to hear`);
  const { value } = original as { value: { name: string; length: number } };
  Object.defineProperty(method, "name", { value: value.name });
  Object.defineProperty(method, "length", { value: value.length });
  Object.defineProperty(target, name, { ...original, value: method });
  return () => {
    if (target[name] === method) Object.defineProperty(target, name, original);
  };
}

function isSubmittable(config: unknown): config is Query {
  return typeof config === "object" && config !== null && typeof (config as { submit?: unknown }).submit === "function";
}

function hasCallback(config: unknown, values: unknown, callback: unknown): boolean {
  if (typeof values === "function" || typeof callback === "function") return true;
  return typeof config === "object" && config !== null && "callback" in config && Boolean(config.callback);
}

/** The text of a query; undefined for what is none. */
function textOf(config: unknown): string | undefined {
  if (typeof config === "string") return config;
  if (typeof config !== "object" || config === null) return undefined;
  const { text, name, cursor } = config as { text?: unknown; name?: unknown; cursor?: unknown };
  if (typeof text === "string") return text;
  // pg-query-stream keeps its query in a cursor; a prepared statement may be named only.
  if (cursor !== undefined) return textOf(cursor);
  return typeof name === "string" ? `EXECUTE "${name.replaceAll('"', '""')}"` : undefined;
}

/** The values bound to it. */
function valuesOf(config: unknown, values: unknown): unknown {
  if (typeof config !== "object" || config === null) return values;
  const { cursor, values: own } = config as { cursor?: unknown; values?: unknown };
  return own ?? (cursor === undefined ? values : valuesOf(cursor, values));
}

function countRows(query: Query): number | undefined {
  const results = query._results ?? query._result;
  if (!Array.isArray(results)) return (results as Result | undefined)?.rowCount ?? undefined;
  let rows: number | undefined;
  for (const { rowCount } of results as readonly Result[]) {
    if (typeof rowCount === "number") rows = (rows ?? 0) + rowCount;
  }
  return rows;
}
