import { performance } from "node:perf_hooks";
import type { Attributes, Context, Span } from "@opentelemetry/api";
import { context } from "@opentelemetry/api";
import type { CallSite, TakenSite } from "./call-site.js";
import { requestOf, withRequest, withSpan } from "./context.js";
import type { Explainer } from "./explain.js";
import { operationEnded, operationStarted, responseEnded } from "./listeners.js";
import { Request } from "./request.js";

// Operations are made by constructors and not written as literals: V8 watches the places where literals are made, and once a few
// early ones have survived, makes all later ones in old space; dead requests then keep each other's young objects alive until the next
// full collection (7.5 µs of garbage collection per request, with constructors 2).

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
  /**
   * One call for several keys (`IN (…)`, MGET): the cure of an N+1, and never one itself. `"array"`: for as many as the array bound to it
   * has (`= ANY ($1)`).
   */
  readonly batch?: boolean | "array" | undefined;
  /** `kept`: its session must live on, as after LISTEN or with a lock of the session; `freed`: it need no more. */
  readonly session?: "kept" | "freed" | undefined;
  readonly serverAddress: string | undefined;
  readonly serverPort: number | undefined;
  /** `db.client.connection.pool.name` of the pool the connection belongs to. */
  readonly poolName: string | undefined;
  /** Whose calls these are, as in `InstrumentedModule.calls`: drivers of one system are told apart by it. Nothing of it is recorded. */
  readonly library?: string | undefined;
  /** Private to the listeners, one index each (see `templateSlot`). */
  readonly slots: unknown[];
}

interface OperationBase {
  /** The context of the caller: its span is the parent, its request the request. */
  readonly context: Context;
  /** The incoming request this call is made for; undefined outside of one. */
  readonly request: Request | undefined;
  /** `performance.now()` at the call, in ms; the wait for a connection is included. */
  readonly startMs: number;
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
export class DatabaseOperation implements OperationBase {
  readonly kind = "database";
  /** A driver that learns the server only when the call is sent replaces it then. */
  template: DatabaseTemplate;
  readonly context: Context;
  readonly request: Request | undefined;
  readonly startMs: number;
  /** How long the call waited for a pooled connection, in ms. */
  readonly waitMs: number;
  endMs = 0;
  /**
   * The text as the app wrote it, and the values bound to it: what tells this call from others of its shape. Recorded nowhere, and to be
   * read when the call ends at the latest: what holds an operation longer lets go of them.
   */
  text: string | undefined;
  parameters: unknown;
  error: unknown = undefined;
  errorType: string | undefined = undefined;
  span: Span | undefined = undefined;
  attributes: Attributes | undefined = undefined;
  /** Rows returned or affected. */
  rows: number | undefined = undefined;
  /** `db.response.status_code`: SQLSTATE, or the first word of a Redis error. */
  statusCode: string | undefined = undefined;
  /** `db.operation.batch.size`, for pipelines and MULTI that are one call on the wire. */
  batchSize: number | undefined = undefined;
  /** Keys looked up, and what came of them; zero where the call is no cache lookup. */
  cacheHits = 0;
  cacheMisses = 0;
  /** The cache's bounded name, when the call is a lookup in one cache. */
  cacheName: string | undefined = undefined;
  /** The stack of the call, where one was wanted (see `wantSite`). */
  takenSite: TakenSite | undefined = undefined;
  /** Asks the server how it would run such a call; where the app has turned that on. */
  explainer: Explainer | undefined = undefined;

  constructor(
    template: DatabaseTemplate,
    text: string | undefined,
    parameters: unknown,
    parent: Context,
    startMs: number,
    waitMs: number,
  ) {
    this.template = template;
    this.context = parent;
    this.request = requestOf(parent);
    this.startMs = startMs;
    this.waitMs = waitMs;
    this.text = text;
    this.parameters = parameters;
  }

  /** Where in the app's code the call was made. */
  get site(): CallSite | undefined {
    return this.takenSite?.resolve();
  }
}

/** What is known of a request when it arrives. */
export interface HttpServerStart {
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
}

/** One HTTP request served. */
export class HttpServerOperation implements OperationBase, HttpServerStart {
  readonly kind = "http.server";
  readonly context: Context;
  request: Request | undefined;
  readonly startMs: number;
  endMs = 0;
  error: unknown = undefined;
  errorType: string | undefined = undefined;
  span: Span | undefined = undefined;
  attributes: Attributes | undefined = undefined;
  readonly method: string;
  readonly originalMethod: string | undefined;
  readonly scheme: "http" | "https";
  readonly path: string;
  readonly query: string | undefined;
  readonly serverAddress: string | undefined;
  readonly serverPort: number | undefined;
  readonly clientAddress: string | undefined;
  readonly userAgent: string | undefined;
  readonly protocolVersion: string;
  /** The response status; 0 when the connection ended before one was sent. */
  statusCode = 0;
  /** Its response goes on after the operation has ended, as an event stream does: `endResponse` tells when that is over. */
  isStreaming = false;

  constructor(start: HttpServerStart, parent: Context) {
    const request = new Request(this);
    this.request = request;
    this.context = withRequest(parent, request);
    this.startMs = performance.now();
    this.method = start.method;
    this.originalMethod = start.originalMethod;
    this.scheme = start.scheme;
    this.path = start.path;
    this.query = start.query;
    this.serverAddress = start.serverAddress;
    this.serverPort = start.serverPort;
    this.clientAddress = start.clientAddress;
    this.userAgent = start.userAgent;
    this.protocolVersion = start.protocolVersion;
  }
}

/** What is known of a request when it is sent. */
export interface HttpClientStart {
  readonly method: string;
  readonly originalMethod: string | undefined;
  /** `url.full`, without credentials, secrets in the query replaced. */
  readonly url: string;
  readonly serverAddress: string;
  readonly serverPort: number | undefined;
}

/** One HTTP request sent. */
export class HttpClientOperation implements OperationBase, HttpClientStart {
  readonly kind = "http.client";
  readonly context: Context;
  readonly request: Request | undefined;
  readonly startMs: number;
  endMs = 0;
  error: unknown = undefined;
  errorType: string | undefined = undefined;
  span: Span | undefined = undefined;
  attributes: Attributes | undefined = undefined;
  readonly method: string;
  readonly originalMethod: string | undefined;
  readonly url: string;
  readonly serverAddress: string;
  readonly serverPort: number | undefined;
  protocolVersion: string | undefined = undefined;
  statusCode = 0;
  /** The stack of the call, where one was wanted (see `wantSite`). */
  takenSite: TakenSite | undefined = undefined;

  constructor(start: HttpClientStart, parent: Context) {
    this.context = parent;
    this.request = requestOf(parent);
    this.startMs = performance.now();
    this.method = start.method;
    this.originalMethod = start.originalMethod;
    this.url = start.url;
    this.serverAddress = start.serverAddress;
    this.serverPort = start.serverPort;
  }

  /** Where in the app's code the request was sent. */
  get site(): CallSite | undefined {
    return this.takenSite?.resolve();
  }
}

export type Operation = DatabaseOperation | HttpServerOperation | HttpClientOperation;

/**
 * Starts a query or command in the context of the caller; `text` and `parameters` tell it from others of its shape. `startMs` is earlier than now where the call had to wait for a
 * connection before it was known what it is; that wait is `waitMs`.
 */
export function startDatabaseOperation(
  template: DatabaseTemplate,
  text: string | undefined,
  parameters: unknown,
  parent: Context = context.active(),
  startMs: number = performance.now(),
  waitMs = 0,
): DatabaseOperation {
  const operation = new DatabaseOperation(template, text, parameters, parent, startMs, waitMs);
  operationStarted(operation);
  return operation;
}

/** Starts a served request and its `Request`; the operation's context carries both. */
export function startHttpServerOperation(start: HttpServerStart, parent: Context): HttpServerOperation {
  const operation = new HttpServerOperation(start, parent);
  operationStarted(operation);
  return operation;
}

/** Starts a sent request in the context of the caller. */
export function startHttpClientOperation(
  start: HttpClientStart,
  parent: Context = context.active(),
): HttpClientOperation {
  const operation = new HttpClientOperation(start, parent);
  operationStarted(operation);
  return operation;
}

/** Ends an operation, once: a second call does nothing, so that racing ends (close, error, callback) need no flags. */
export function endOperation(operation: Operation): void {
  if (operation.endMs !== 0) return;
  // Zero is for what runs; a clock of the app's tests may begin there.
  operation.endMs = performance.now() || Number.MIN_VALUE;
  operationEnded(operation);
}

/** Ends the response of an operation that has ended before it. */
export function endResponse(operation: HttpServerOperation): void {
  if (!operation.isStreaming) return;
  operation.isStreaming = false;
  responseEnded(operation);
}

/** Marks an operation as failed; the first error stays. */
export function failOperation(operation: Operation, error: unknown): void {
  if (operation.errorType !== undefined || operation.endMs !== 0) return;
  try {
    operation.errorType = errorType(error);
    operation.error = error;
  } catch {
    // The app may throw what cannot even be read.
    operation.errorType = "_OTHER";
  }
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
  return operation.span === undefined ? operation.context : withSpan(operation.context, operation.span);
}

/** Adds an attribute to the operation's span, if that has not ended; it costs nothing until the first one. */
export function annotateOperation(operation: Operation, name: string, value: string | number | boolean): void {
  // What has ended may not be encoded yet.
  if (operation.endMs !== 0 && operation.span?.isRecording() === false) return;
  operation.attributes ??= {};
  operation.attributes[name] = value;
}
