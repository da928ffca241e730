import { type Attributes, type AttributeValue, SpanKind } from "@opentelemetry/api";
import type { CallSite } from "./call-site.js";
import { templateSlot } from "./listeners.js";
import type { DatabaseOperation, DatabaseTemplate, HttpServerOperation, Operation } from "./operation.js";

// Operations as spans: names, kinds and attributes of the stable HTTP and database conventions
// (https://opentelemetry.io/docs/specs/semconv/). One source for every way in which spans are made of them.

/** Takes attributes one by one: a span, an object, an encoder. */
export interface AttributeSink {
  setAttribute(name: string, value: AttributeValue): unknown;
}

export function spanKindOf(operation: Operation): SpanKind {
  return operation.kind === "http.server" ? SpanKind.SERVER : SpanKind.CLIENT;
}

/** The name as far as it is known now: a served request gets its route on the way. */
export function spanNameOf(operation: Operation): string {
  switch (operation.kind) {
    case "database": {
      const { querySummary, operationName, system } = operation.template;
      return querySummary ?? operationName ?? system;
    }
    case "http.server":
      return httpSpanName(operation.method, operation.request?.route);
    case "http.client":
      return httpSpanName(operation.method, undefined);
  }
}

/** `GET /orders/:id`; a method that nobody knows is named `HTTP`, as the convention says. */
function httpSpanName(method: string, route: string | undefined): string {
  const verb = method === "_OTHER" ? "HTTP" : method;
  return route === undefined ? verb : routeName(verb, route);
}

/** Names made before, by verb and route: a text put together anew is copied when somebody reads it, and compared letter by letter. */
const routeNames = new Map<string, Map<string, string>>();
const MAX_ROUTES = 500;

function routeName(verb: string, route: string): string {
  const known = routeNames.get(verb)?.get(route);
  if (known !== undefined) return known;
  const name = `${verb} ${route}`;
  const ofVerb = routeNames.get(verb) ?? new Map<string, string>();
  if (ofVerb.size < MAX_ROUTES) routeNames.set(verb, ofVerb.set(route, name));
  return name;
}

/** What is the same for every call of a template. */
export function describeTemplate(template: DatabaseTemplate, sink: AttributeSink): void {
  put(sink, "db.system.name", template.system);
  put(sink, "db.namespace", template.namespace);
  put(sink, "db.operation.name", template.operationName);
  put(sink, "db.collection.name", template.collection);
  put(sink, "db.query.summary", template.querySummary);
  put(sink, "db.query.text", template.queryText);
  put(sink, "db.client.connection.pool.name", template.poolName);
  put(sink, "server.address", template.serverAddress);
  put(sink, "server.port", template.serverPort);
}

/** What is known of an operation when it starts. */
export function describeStart(operation: Operation, sink: AttributeSink): void {
  if (operation.kind === "database") {
    describeTemplate(operation.template, sink);
    return;
  }
  if (operation.kind === "http.server") {
    describeArrival(operation, sink);
    describeRequest(operation, sink);
  } else {
    put(sink, "http.request.method", operation.method);
    put(sink, "http.request.method_original", operation.originalMethod);
    put(sink, "url.full", operation.url);
    put(sink, "server.address", operation.serverAddress);
    put(sink, "server.port", operation.serverPort);
  }
}

/** How a request came in, and where: the same for most requests. */
export function describeArrival(operation: HttpServerOperation, sink: AttributeSink): void {
  put(sink, "http.request.method", operation.method);
  put(sink, "http.request.method_original", operation.originalMethod);
  put(sink, "url.scheme", operation.scheme);
  put(sink, "server.address", operation.serverAddress);
  put(sink, "server.port", operation.serverPort);
  put(sink, "network.protocol.version", operation.protocolVersion);
}

/** Who asks, and for what: each request's own. */
export function describeRequest(operation: HttpServerOperation, sink: AttributeSink): void {
  put(sink, "client.address", operation.clientAddress);
  put(sink, "user_agent.original", operation.userAgent);
  put(sink, "url.path", operation.path);
  put(sink, "url.query", operation.query);
}

/** What has become known by its end; it replaces what was said before. */
export function describeEnd(operation: Operation, sink: AttributeSink): void {
  if (operation.kind === "database") {
    describeOutcome(operation, sink);
    describeWait(operation, sink);
  } else if (operation.kind === "http.server") {
    describeAnswer(operation, sink);
  } else {
    if (operation.statusCode > 0) sink.setAttribute("http.response.status_code", operation.statusCode);
    put(sink, "network.protocol.version", operation.protocolVersion);
  }
  if (operation.kind !== "http.server" && operation.takenSite !== undefined) describeSite(operation.site, sink);
  put(sink, "error.type", operation.errorType);
  const { attributes } = operation;
  if (attributes !== undefined) for (const name in attributes) put(sink, name, attributes[name]);
}

/** What came of a call: much the same for all calls of a template. */
export function describeOutcome(operation: DatabaseOperation, sink: AttributeSink): void {
  put(sink, "db.response.returned_rows", operation.rows);
  put(sink, "db.response.status_code", operation.statusCode);
  put(sink, "db.operation.batch.size", operation.batchSize);
  if (operation.cacheHits + operation.cacheMisses > 0) {
    put(sink, "telltale.cache.name", operation.cacheName);
    sink.setAttribute("telltale.cache.hits", operation.cacheHits);
    sink.setAttribute("telltale.cache.misses", operation.cacheMisses);
  }
}

/** How long a call waited for its connection. */
export function describeWait(operation: DatabaseOperation, sink: AttributeSink): void {
  if (operation.waitMs > 0) sink.setAttribute("telltale.pool.wait_ms", operation.waitMs);
}

/** What a request was answered: much the same for all requests of a route. */
export function describeAnswer(operation: HttpServerOperation, sink: AttributeSink): void {
  put(sink, "http.route", operation.request?.route);
  if (operation.statusCode > 0) sink.setAttribute("http.response.status_code", operation.statusCode);
}

function describeSite(site: CallSite | undefined, sink: AttributeSink): void {
  put(sink, "code.file.path", site?.file);
  put(sink, "code.line.number", site?.line);
  put(sink, "code.column.number", site?.column);
  put(sink, "code.function.name", site?.function);
}

/** What the span's status says of a failure. The app's own errors may not even be readable. */
export function errorMessageOf({ error }: Operation): { readonly message?: string } {
  try {
    const message: unknown = error instanceof Error ? error.message : undefined;
    return typeof message === "string" ? { message } : {};
  } catch {
    return {};
  }
}

function put(sink: AttributeSink, name: string, value: AttributeValue | undefined): void {
  if (value !== undefined) sink.setAttribute(name, value);
}

const slot = templateSlot();

/** What is known of an operation when it starts, as an object; that of a template is made once, and must not be changed. */
export function startAttributesOf(operation: Operation): Attributes {
  if (operation.kind !== "database") return collect(operation);
  const { slots } = operation.template;
  return (slots[slot] ??= collect(operation)) as Attributes;
}

function collect(operation: Operation): Attributes {
  const attributes: Attributes = {};
  describeStart(operation, {
    setAttribute(name, value) {
      attributes[name] = value;
    },
  });
  return attributes;
}
