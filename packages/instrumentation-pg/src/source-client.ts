import { context } from "@opentelemetry/api";
import {
  type DatabaseOperation,
  endOperation,
  failedOn,
  failOperation,
  failPostgresql,
  findPostgresqlTarget,
  type Guard,
  hasListeners,
  isSuppressed,
  knowConnections,
  placeOfPostgresql,
  type PoolCall,
  type PoolLink,
  replaceMethod,
  siteWanted,
  startDatabaseOperation,
  takeSite,
  undoAll,
} from "@telltale/core";
import { stateOf } from "./client-state.js";
import type { Client, Query, Result } from "./driver.js";
import { createExplainers } from "./explain.js";
import { callOf, QueryCall, setCall } from "./query-call.js";
import { addComment } from "./sql-comment.js";

/** What is done besides listening. */
export interface ClientOptions {
  /** Whether calls can be explained. */
  readonly explain: boolean;
  /** What is added to texts; empty for nothing. */
  readonly comment: string;
}

/**
 * Patches `Client.prototype.query`: one operation per query, whatever form the call has. Promises and callbacks are left as
 * they are; the end is heard where the connection tells the query object of it, which serves cursors and streams too.
 * Returns what undoes it.
 */
export function patchClient(
  prototype: Client,
  queryPrototype: Query,
  link: PoolLink,
  guard: Guard,
  { explain, comment }: ClientOptions,
): () => void {
  const { query, _pulseQueryQueue } = prototype;
  const makeExplainer = explain ? createExplainers(prototype, queryPrototype, query) : undefined;
  /** False once undone: somebody may have wrapped ours meanwhile, and still call it. */
  let active = true;
  /** The `query` call that is on the stack, until its query object is known. */
  let starting: QueryCall | undefined;

  function patchedQuery(this: Client, config: unknown, values?: unknown, callback?: unknown): unknown {
    const call = link.handedOver;
    link.handedOver = undefined;
    const operation = active && guard.on && hasListeners() ? begin(this, config, values, call) : undefined;
    if (operation === undefined) return query.call(this, config, values, callback);
    if (!isSubmittable(config)) {
      starting = new QueryCall(operation, call === undefined && hasCallback(config, values, callback));
    }
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
      const state = stateOf(client);
      const isHeard = !isSuppressed(parent) && (!isSubmittable(config) || canFollow(config));
      const text = isHeard ? textOf(config) : undefined;
      if (text === undefined) {
        if (state.loan !== undefined) state.loan.isUnseen = true;
        return undefined;
      }
      state.target ??= findPostgresqlTarget("pg", client.host, client.port, client.database, state.reporter?.pool.name);
      const template = state.target.templateOf(text);
      const bound = valuesOf(config, values);
      const operation =
        call === undefined
          ? startDatabaseOperation(template, text, bound, parent)
          : call.start(template, text, bound, state.takenMs);
      if (call === undefined && siteWanted(template)) operation.takenSite = takeSite(template, patchedQuery);
      if (makeExplainer !== undefined) operation.explainer = state.explainer ??= makeExplainer(client, state);
      state.loan?.runs(operation);
      if (isSubmittable(config)) follow(config, operation);
      return operation;
    } catch (error) {
      failedOn(guard, prototype, client, error);
      return undefined;
    }
  }

  /** pg makes its query object inside of `query` and puts it last in the queue just before it looks at the queue. */
  function patchedPulse(this: Client): void {
    if (starting !== undefined) {
      try {
        const queued = (this._queryQueue ?? this.queryQueue)?.at(-1);
        if (queued !== undefined) {
          setCall(queued, starting);
          if (comment !== "") commentOn(queued);
        }
        starting = undefined;
      } catch (error) {
        guard.failed(error);
      }
    }
    _pulseQueryQueue.call(this);
  }

  /** Not on what is prepared by name: its text is what the app prepared. The query object is the driver's own, nothing of the app's changes. */
  function commentOn(queued: { text?: unknown; readonly name?: unknown }): void {
    if (typeof queued.text === "string" && !queued.name) queued.text = addComment(queued.text, comment);
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
      failPostgresql(operation, error);
    } catch (failure) {
      guard.failed(failure);
    }
  }

  /** Not what cannot be changed, nor what is submitted again before it has ended. */
  function canFollow(submitted: Query): boolean {
    const last = callOf(submitted);
    return Object.isExtensible(submitted) && (last === undefined || last.operation.endMs !== 0);
  }

  /** A cursor, a stream or a query object of the app: it may be of any class, so the object itself is listened to, until it ends. */
  function follow(submitted: Query, operation: DatabaseOperation): void {
    setCall(submitted, new QueryCall(operation, true));
    if (Object.getPrototypeOf(submitted) === queryPrototype) return;
    let rows = 0;
    const heard: Partial<Record<Message, (first: unknown) => void>> = {
      handleDataRow: () => void rows++,
      handleReadyForQuery() {
        stop();
        operation.rows = countOwn(submitted) ?? rows;
        endOperation(operation);
      },
      handleError(error) {
        stop();
        fail(operation, error);
      },
    };
    const handlers = submitted as unknown as Record<Message, Handler | undefined>;
    const restore: (() => void)[] = [];
    const stop = (): void => {
      for (const step of restore) step();
    };
    for (const message of MESSAGES) {
      const original = handlers[message];
      if (typeof original !== "function") continue;
      const hear = heard[message];
      const own = Object.getOwnPropertyDescriptor(submitted, message);
      // In the caller's context, as a cursor calls the app back from these.
      function handle(this: unknown, ...args: unknown[]): unknown {
        try {
          hear?.(args[0]);
        } catch (error) {
          guard.failed(error);
        }
        return context.with(operation.context, original as Handler, this, ...args);
      }
      resemble(handle, original);
      // Whoever lists or inspects the object sees what was there before.
      const enumerable = own?.enumerable ?? false;
      Object.defineProperty(submitted, message, { value: handle, writable: true, configurable: true, enumerable });
      restore.push(() => {
        if (handlers[message] !== handle) return;
        if (own === undefined) delete handlers[message];
        else Object.defineProperty(submitted, message, own);
      });
    }
  }

  /** Pools of other libraries lend clients, too. */
  const forget = knowConnections((resource) => {
    if (!Object.prototype.isPrototypeOf.call(prototype, resource)) return undefined;
    const client = resource as Client;
    const state = stateOf(client);
    return {
      place: placeOfPostgresql(client.host, client.port, client.database, undefined),
      isPooled: state.poolOptions !== undefined,
      lend(reporter, loan) {
        state.reporter = reporter;
        state.loan = loan;
        state.target = undefined;
      },
    };
  });

  const undo = [
    forget,
    replaceMethod(prototype, "query", () => patchedQuery),
    replaceMethod(prototype, "_pulseQueryQueue", () => patchedPulse),
    replaceMethod(queryPrototype, "handleReadyForQuery", () => patchedReady),
    replaceMethod(queryPrototype, "handleError", () => patchedError),
  ];
  return () => {
    active = false;
    undoAll(undo);
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
type Handler = (...args: unknown[]) => unknown;

function resemble(method: object, { name, length }: { name: string; length: number }): void {
  Object.defineProperty(method, "name", { value: name, configurable: true });
  Object.defineProperty(method, "length", { value: length, configurable: true });
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
  try {
    const { text, name, cursor } = config as { text?: unknown; name?: unknown; cursor?: unknown };
    if (typeof text === "string") return text;
    // pg-query-stream keeps its query in a cursor; a prepared statement may be named only.
    if (cursor !== undefined) return textOf(cursor);
    return typeof name === "string" ? `EXECUTE "${name.replaceAll('"', '""')}"` : undefined;
  } catch {
    // A getter of the app's own has thrown; pg will meet it, too.
    return undefined;
  }
}

/** The values bound to it. */
function valuesOf(config: unknown, values: unknown): unknown {
  if (typeof config !== "object" || config === null) return values;
  const { cursor, values: own } = config as { cursor?: unknown; values?: unknown };
  return own ?? (cursor === undefined ? values : valuesOf(cursor, values));
}

/** Of a query object of the app's: as a class of pg's own Query has it, or as pg-copy-streams does. */
function countOwn(submitted: Query & { readonly rowCount?: unknown }): number | undefined {
  if (submitted._results !== undefined) return countRows(submitted);
  return typeof submitted.rowCount === "number" ? submitted.rowCount : undefined;
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
