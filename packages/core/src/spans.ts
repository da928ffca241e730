import {
  type Attributes,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
} from "@opentelemetry/api";
import { toEpochMs } from "./clock.js";
import { addListener, type Listener, listenerSlot } from "./listeners.js";
import type {
  DatabaseOperation,
  DatabaseTemplate,
  HttpClientOperation,
  HttpServerOperation,
  Operation,
} from "./operation.js";
import { VERSION } from "./version.js";

const listening = new WeakMap<TracerProvider, { users: number; remove: () => void }>();

/** Makes spans of operations with a provider's tracer; a provider is listened for once, however often it is added. */
export function addSpanListener(provider: TracerProvider): () => void {
  const entry = listening.get(provider) ?? {
    users: 0,
    remove: addListener(createSpanListener(provider.getTracer("telltale", VERSION))),
  };
  listening.set(provider, entry);
  entry.users++;
  return () => {
    if (--entry.users > 0) return;
    listening.delete(provider);
    entry.remove();
  };
}

/**
 * Operations as spans: names, kinds, attributes and status of the stable HTTP and database conventions. It must be the last
 * listener, because what the others note on an operation is written to its span when that ends.
 */
export function createSpanListener(tracer: Tracer): Listener {
  return {
    name: "spans",
    operationStarted(operation) {
      operation.span = startSpan(tracer, operation);
    },
    operationEnded(operation) {
      if (operation.span !== undefined) endSpan(operation.span, operation);
    },
  };
}

function startSpan(tracer: Tracer, operation: Operation): Span {
  const startTime = toEpochMs(operation.startMs);
  switch (operation.kind) {
    case "database": {
      const { template } = operation;
      const options = { kind: SpanKind.CLIENT, attributes: databaseAttributes(template), startTime };
      return tracer.startSpan(databaseSpanName(template), options, operation.context);
    }
    case "http.server":
      return tracer.startSpan(
        httpSpanName(operation.method, undefined),
        { kind: SpanKind.SERVER, attributes: serverAttributes(operation), startTime },
        operation.context,
      );
    case "http.client":
      return tracer.startSpan(
        httpSpanName(operation.method, undefined),
        { kind: SpanKind.CLIENT, attributes: clientAttributes(operation), startTime },
        operation.context,
      );
  }
}

function endSpan(span: Span, operation: Operation): void {
  if (span.isRecording()) {
    if (operation.kind === "database") describeDatabaseEnd(span, operation);
    else if (operation.kind === "http.server") describeServerEnd(span, operation);
    else describeClientEnd(span, operation);
    if (operation.errorType !== undefined) {
      span.setAttribute("error.type", operation.errorType);
      const { error } = operation;
      span.setStatus({ code: SpanStatusCode.ERROR, ...(error instanceof Error && { message: error.message }) });
    }
    if (operation.attributes !== undefined) span.setAttributes(operation.attributes);
  }
  span.end(toEpochMs(operation.endMs));
}

const slot = listenerSlot();

/** The constant attributes of a template, made once. */
function databaseAttributes(template: DatabaseTemplate): Attributes {
  return (template.slots[slot] ??= defined({
    "db.system.name": template.system,
    "db.namespace": template.namespace,
    "db.operation.name": template.operationName,
    "db.collection.name": template.collection,
    "db.query.summary": template.querySummary,
    "db.query.text": template.queryText,
    "db.client.connection.pool.name": template.poolName,
    "server.address": template.serverAddress,
    "server.port": template.serverPort,
  })) as Attributes;
}

function databaseSpanName(template: DatabaseTemplate): string {
  return template.querySummary ?? template.operationName ?? template.system;
}

function describeDatabaseEnd(span: Span, operation: DatabaseOperation): void {
  if (operation.rows !== undefined) span.setAttribute("db.response.returned_rows", operation.rows);
  if (operation.statusCode !== undefined) span.setAttribute("db.response.status_code", operation.statusCode);
  if (operation.batchSize !== undefined) span.setAttribute("db.operation.batch.size", operation.batchSize);
  if (operation.waitMs > 0) span.setAttribute("telltale.pool.wait_ms", operation.waitMs);
  if (operation.cacheHits + operation.cacheMisses > 0) {
    if (operation.cacheName !== undefined) span.setAttribute("telltale.cache.name", operation.cacheName);
    span.setAttribute("telltale.cache.hits", operation.cacheHits);
    span.setAttribute("telltale.cache.misses", operation.cacheMisses);
  }
}

function serverAttributes(operation: HttpServerOperation): Attributes {
  return defined({
    "http.request.method": operation.method,
    "http.request.method_original": operation.originalMethod,
    "url.scheme": operation.scheme,
    "url.path": operation.path,
    "url.query": operation.query,
    "server.address": operation.serverAddress,
    "server.port": operation.serverPort,
    "client.address": operation.clientAddress,
    "user_agent.original": operation.userAgent,
    "network.protocol.version": operation.protocolVersion,
  });
}

function describeServerEnd(span: Span, operation: HttpServerOperation): void {
  const route = operation.request?.route;
  if (route !== undefined) {
    span.setAttribute("http.route", route);
    span.updateName(httpSpanName(operation.method, route));
  }
  if (operation.statusCode > 0) span.setAttribute("http.response.status_code", operation.statusCode);
}

function clientAttributes(operation: HttpClientOperation): Attributes {
  return defined({
    "http.request.method": operation.method,
    "http.request.method_original": operation.originalMethod,
    "url.full": operation.url,
    "server.address": operation.serverAddress,
    "server.port": operation.serverPort,
  });
}

function describeClientEnd(span: Span, operation: HttpClientOperation): void {
  if (operation.statusCode > 0) span.setAttribute("http.response.status_code", operation.statusCode);
  if (operation.protocolVersion !== undefined) span.setAttribute("network.protocol.version", operation.protocolVersion);
}

/** `GET /orders/:id`; a method that nobody knows is named `HTTP`, as the convention says. */
function httpSpanName(method: string, route: string | undefined): string {
  const verb = method === "_OTHER" ? "HTTP" : method;
  return route === undefined ? verb : `${verb} ${route}`;
}

function defined(attributes: Record<string, string | number | undefined>): Attributes {
  const result: Attributes = {};
  for (const name in attributes) if (attributes[name] !== undefined) result[name] = attributes[name];
  return result;
}
