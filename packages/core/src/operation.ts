import type { Attributes, Context, Span } from "@opentelemetry/api";
import { context, trace } from "@opentelemetry/api";
import { operationEnded, operationStarted } from "./listeners.js";
import { activeRequest, type Request, withRequest } from "./request.js";

/**
 * What all calls of one shape to one place have in common. An instrumentation makes it once per (connection target, query
 * shape), keeps it, and never changes it; listeners keep what they derive from it (a histogram cell, encoded attributes)
 * in a WeakMap or, on the hot path, in `slots`.
 */
export interface DatabaseTemplate {
  /** `db.system.name`: `postgresql`, `redis`. */
  readonly system: string;
  /** `db.namespace`: the database; for Redis the database index. */
  readonly namespace: string | undefined;
  /** `db.operation.name`: `SELECT`, `HGETALL`; upper case. */
  readonly operationName: string | undefined;
  /** `db.collection.name`: the table, when there is just one. */
  readonly collection: string | undefined;
  /** `db.query.summary`, also the span's name: `SELECT orders`; low cardinality by construction. */
  readonly querySummary: string | undefined;
  /** `db.query.text`, literals already replaced. */
  readonly queryText: string | undefined;
  /** Equal for queries that differ only in literals, layout and comments. */
  readonly fingerprint: string | undefined;
  /** What the statement does: only reads can be an N+1; `control` is BEGIN, COMMIT, SET and their like. */
  readonly effect: "read" | "write" | "control";
  /** One call for several keys (`IN (…)`, MGET): the cure of an N+1, and never one itself. */
  readonly batch?: boolean | undefined;
  readonly serverAddress: string | undefined;
  readonly serverPort: number | undefined;
  /** `db.client.connection.pool.name` of the pool the connection belongs to. */
  readonly poolName: string | undefined;
  /** Private to the listeners, one index each (see `listenerSlot`). */
  readonly slots: unknown[];
}

interface OperationBase {
  /** The context of the caller: its span is the parent, its request the request. */
  readonly context: Context;
  /** The incoming request this call is made for; undefined outside of one. */
  request: Request | undefined;
  /** `performance.now()` at the call, in ms; the wait for a connection is included. */
  startMs: number;
  /** `performance.now()` at the end; 0 while the call runs. */
  endMs: number;
  /** What the call failed with. */
  error: unknown;
  /** `error.type`: low cardinality; undefined unless the call failed. */
  errorType: string | undefined;
  /** Set by the listener that makes spans; undefined when tracing is off. */
  span: Span | undefined;
  /** What listeners add to the span before it ends, such as a finding. */
  attributes: Attributes | undefined;
}

/** One query or command. */
export interface DatabaseOperation extends OperationBase {
  readonly kind: "database";
  readonly template: DatabaseTemplate;
  /**
   * What tells this call from others of its shape: raw text, bound values, Redis arguments. Compared while the call is heard
   * by the listeners, recorded nowhere, dropped at the end.
   */
  parameters: readonly unknown[] | undefined;
  /** How long the call waited for a pooled connection, in ms. */
  waitMs: number;
  /** Rows returned or affected. */
  rows: number | undefined;
  /** `db.response.status_code`: SQLSTATE, or the first word of a Redis error. */
  statusCode: string | undefined;
  /** `db.operation.batch.size`, for pipelines and MULTI that are one call on the wire. */
  batchSize: number | undefined;
  /** Keys looked up, and what came of them; zero where the call is no cache lookup. */
  cacheHits: number;
  cacheMisses: number;
  /** The cache's bounded name, when the call is a lookup in one cache. */
  cacheName: string | undefined;
}

/** One HTTP request served. */
export interface HttpServerOperation extends OperationBase {
  readonly kind: "http.server";
  /** `http.request.method`: a known method or `_OTHER`. */
  readonly method: string;
  readonly originalMethod: string | undefined;
  readonly scheme: "http" | "https";
  readonly path: string;
  /** Query string without `?`, secrets replaced; undefined when there is none. */
  readonly query: string | undefined;
  readonly serverAddress: string | undefined;
  readonly serverPort: number | undefined;
  readonly clientAddress: string | undefined;
  readonly userAgent: string | undefined;
  readonly protocolVersion: string;
  /** The response status; 0 when the connection ended before one was sent. */
  statusCode: number;
}

/** One HTTP request sent. */
export interface HttpClientOperation extends OperationBase {
  readonly kind: "http.client";
  readonly method: string;
  readonly originalMethod: string | undefined;
  /** `url.full`, without credentials, secrets in the query replaced. */
  readonly url: string;
  readonly serverAddress: string;
  readonly serverPort: number | undefined;
  protocolVersion: string | undefined;
  statusCode: number;
}

export type Operation = DatabaseOperation | HttpServerOperation | HttpClientOperation;

/**
 * Starts a query or command in the context of the caller. `startMs` is earlier than now where the call had to wait for a
 * connection before it was known what it is; that wait is `waitMs`.
 */
export function startDatabaseOperation(
  template: DatabaseTemplate,
  parameters: readonly unknown[] | undefined,
  parent: Context = context.active(),
  startMs: number = performance.now(),
  waitMs = 0,
): DatabaseOperation {
  const operation: DatabaseOperation = {
    kind: "database",
    context: parent,
    request: activeRequest(parent),
    startMs,
    endMs: 0,
    error: undefined,
    errorType: undefined,
    span: undefined,
    attributes: undefined,
    template,
    parameters,
    waitMs,
    rows: undefined,
    statusCode: undefined,
    batchSize: undefined,
    cacheHits: 0,
    cacheMisses: 0,
    cacheName: undefined,
  };
  operationStarted(operation);
  return operation;
}

/** What is known of a request when it arrives. */
export type HttpServerStart = Pick<
  HttpServerOperation,
  | "method"
  | "originalMethod"
  | "scheme"
  | "path"
  | "query"
  | "serverAddress"
  | "serverPort"
  | "clientAddress"
  | "userAgent"
  | "protocolVersion"
>;

/** Starts a served request and its `Request`; the operation's context carries both. */
export function startHttpServerOperation(start: HttpServerStart, parent: Context): HttpServerOperation {
  const operation = {
    kind: "http.server" as const,
    context: parent,
    request: undefined as Request | undefined,
    startMs: performance.now(),
    endMs: 0,
    error: undefined,
    errorType: undefined,
    span: undefined,
    attributes: undefined,
    method: start.method,
    originalMethod: start.originalMethod,
    scheme: start.scheme,
    path: start.path,
    query: start.query,
    serverAddress: start.serverAddress,
    serverPort: start.serverPort,
    clientAddress: start.clientAddress,
    userAgent: start.userAgent,
    protocolVersion: start.protocolVersion,
    statusCode: 0,
  };
  operation.request = { operation, route: undefined, slots: [] };
  operation.context = withRequest(parent, operation.request);
  operationStarted(operation);
  return operation;
}

/** What is known of a request when it is sent. */
export type HttpClientStart = Pick<
  HttpClientOperation,
  "method" | "originalMethod" | "url" | "serverAddress" | "serverPort"
>;

/** Starts a sent request in the context of the caller. */
export function startHttpClientOperation(
  start: HttpClientStart,
  parent: Context = context.active(),
): HttpClientOperation {
  const operation: HttpClientOperation = {
    kind: "http.client",
    context: parent,
    request: activeRequest(parent),
    startMs: performance.now(),
    endMs: 0,
    error: undefined,
    errorType: undefined,
    span: undefined,
    attributes: undefined,
    method: start.method,
    originalMethod: start.originalMethod,
    url: start.url,
    serverAddress: start.serverAddress,
    serverPort: start.serverPort,
    protocolVersion: undefined,
    statusCode: 0,
  };
  operationStarted(operation);
  return operation;
}

/** Ends an operation, once: a second call does nothing, so that racing ends (close, error, callback) need no flags. */
export function endOperation(operation: Operation): void {
  if (operation.endMs !== 0) return;
  operation.endMs = performance.now();
  operationEnded(operation);
  if (operation.kind === "database") operation.parameters = undefined;
}

/** Marks an operation as failed; the first error stays. */
export function failOperation(operation: Operation, error: unknown): void {
  if (operation.errorType !== undefined || operation.endMs !== 0) return;
  operation.error = error;
  operation.errorType = errorType(error);
}

/** `error.type` of anything thrown: its code if it is a short word, else its class, else `_OTHER`. */
export function errorType(error: unknown): string {
  if (typeof error !== "object" || error === null) return "_OTHER";
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === "string" && /^[A-Za-z0-9_]{1,40}$/.test(code)) return code;
  if (typeof name === "string" && name !== "" && name.length <= 80) return name;
  return "_OTHER";
}

/** The context in which the work of an operation runs: its span is active in it. */
export function contextOf(operation: Operation): Context {
  return operation.span === undefined ? operation.context : trace.setSpan(operation.context, operation.span);
}

/** Adds an attribute to the operation's span; it costs nothing until the first one. */
export function annotateOperation(operation: Operation, name: string, value: string | number | boolean): void {
  operation.attributes ??= {};
  operation.attributes[name] = value;
}
