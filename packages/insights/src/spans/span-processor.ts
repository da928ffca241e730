import { performance } from "node:perf_hooks";
import {
  type Attributes,
  type Context,
  type Counter,
  type HrTime,
  metrics,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import {
  addListener,
  createGuard,
  DatabaseOperation,
  epochOriginMs,
  type Finding,
  type Guard,
  type HttpClientOperation,
  type HttpServerOperation,
  limitOf,
  METRICS,
  type Operation,
  VERSION,
  withRequest,
} from "@telltale/core";
import { createInsights, type Insights } from "../insights.js";
import type { InsightsOptions } from "../options.js";
import { number, SpanReader, text } from "./span-attributes.js";

export interface InsightsSpanProcessorOptions extends Omit<InsightsOptions, "eventLoop" | "pools"> {
  /** Called for every finding, when the span ends that completes it. */
  readonly onFinding?: (finding: Finding) => void;
}

/** What is read of a span: the SDK's own, of whatever version. */
interface EndedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly attributes: Attributes;
  readonly status: { readonly code: SpanStatusCode };
  spanContext(): SpanContext;
}

/** A request, a message or a job that is not over: the first span of its trace in this process, and a request within another. */
interface Root {
  readonly spanId: string;
  readonly request: NonNullable<HttpServerOperation["request"]>;
  readonly spanIds: string[];
}

/** Requests at the same time, and spans of each, that are followed. */
const MAX_ROOTS = 10_000;
const MAX_SPANS = 2_000;
const unfollowed = limitOf("span_processor.spans");
const givenUp = limitOf("span_processor.requests");

/**
 * Finds slow queries and N+1 in the spans of other instrumentations: for those who run the OpenTelemetry SDK alone. Give it to the SDK before the
 * processors that export, so that what it notes on a span is exported.
 *
 * It hears what is sampled and nothing else, it cannot tell the wait for a connection from the query where the instrumentation's span
 * has both, and without recorded values it takes calls of a query with placeholders for different ones. Not to be used beside Telltale's own
 * instrumentations, which report the same by themselves.
 */
export class InsightsSpanProcessor {
  private readonly insights: Insights;
  private readonly reader = new SpanReader();
  private counter: Counter | undefined;
  private readonly guard: Guard;
  private readonly stop: () => void;
  /** Of what is not over, by any of its spans. */
  private readonly rootOf = new Map<string, Root>();
  private readonly roots = new Set<Root>();
  /** When spans were heard to begin. */
  private readonly heardMs = new WeakMap<object, number>();
  /** True while findings are its own. */
  private isAsking = false;
  private hearsEnding = false;

  constructor({ onFinding, ...options }: InsightsSpanProcessorOptions = {}) {
    this.insights = createInsights({ ...options, eventLoop: { blockMs: 0 } });
    this.guard = createGuard("InsightsSpanProcessor");
    this.stop = addListener({
      name: "InsightsSpanProcessor",
      findingMade: (finding, operation) => {
        if (!this.isAsking) return;
        this.insights.findingMade?.(finding, operation);
        this.count(finding);
        onFinding?.({ ...finding, why: undefined });
      },
    });
  }

  onStart(span: Span, parentContext: Context): void {
    try {
      const started = span as Span & EndedSpan;
      this.heardMs.set(started, performance.now());
      const { spanId, traceId } = started.spanContext();
      const parent = trace.getSpanContext(parentContext);
      const above = parent?.traceId === traceId ? this.rootOf.get(parent.spanId) : undefined;
      const isServed = started.kind === SpanKind.SERVER || started.kind === SpanKind.CONSUMER;
      // A call that nobody makes it for is not a request.
      if (above === undefined && isCall(started)) return;
      const root = above === undefined || isServed ? this.open(started) : above;
      if (root.spanIds.length >= MAX_SPANS) {
        unfollowed.total += 1;
        return;
      }
      if (root === above) noteRoute(root, started);
      root.spanIds.push(spanId);
      this.rootOf.set(spanId, root);
    } catch (error) {
      this.guard.failed(error);
    }
  }

  /** While a span can still be written to: only then, what is found can be noted on it. SDKs before 2.1 do not call this. */
  onEnding(span: Span): void {
    this.hearsEnding = true;
    const found = this.complete(span as Span & EndedSpan);
    if (found !== undefined) span.setAttributes(found);
  }

  onEnd(span: EndedSpan): void {
    if (!this.hearsEnding) this.complete(span);
    const { spanId } = span.spanContext();
    const root = this.rootOf.get(spanId);
    if (root?.spanId === spanId) this.close(root);
  }

  /** Judges what a span stands for. Returns what is to be noted on it. */
  private complete(span: EndedSpan): Attributes | undefined {
    if (!this.guard.on) return undefined;
    try {
      const { spanId } = span.spanContext();
      const root = this.rootOf.get(spanId);
      const operation = root?.spanId === spanId ? endServed(root, span) : this.callOf(span, root);
      if (operation === undefined) return undefined;
      operation.span = span as EndedSpan & Span;
      this.ask(operation);
      return withoutWhy(operation.attributes);
    } catch (error) {
      this.guard.failed(error);
      return undefined;
    }
  }

  async forceFlush(): Promise<void> {}

  /** Ends it: what is not over is forgotten. */
  async shutdown(): Promise<void> {
    this.stop();
    this.insights.stop();
    this.rootOf.clear();
    this.roots.clear();
  }

  private count({ kind, route, system, accepted }: Finding): void {
    if (this.counter === undefined) {
      // Not before: the SDK has set its meters after it has made its processors.
      const { name, unit, description } = METRICS.findings;
      this.counter = metrics.getMeter("telltale", VERSION).createCounter(name, { unit, description });
    }
    this.counter.add(1, {
      "telltale.finding.kind": kind,
      ...(route !== undefined && { "http.route": route }),
      ...(system !== undefined && { "db.system.name": system }),
      ...(accepted === true && { "telltale.finding.accepted": "true" }),
    });
  }

  private ask(operation: Operation): void {
    this.isAsking = true;
    try {
      this.insights.operationEnded?.(operation);
    } finally {
      this.isAsking = false;
    }
  }

  private open(span: EndedSpan): Root {
    const served = startServed(span);
    const root: Root = { spanId: span.spanContext().spanId, request: served, spanIds: [] };
    for (const oldest of this.roots) {
      if (this.roots.size < MAX_ROOTS) break;
      givenUp.total += 1;
      this.close(oldest);
    }
    this.roots.add(root);
    return root;
  }

  private close(root: Root): void {
    for (const spanId of root.spanIds) this.rootOf.delete(spanId);
    this.roots.delete(root);
  }

  private callOf(span: EndedSpan, root: Root | undefined): Operation | undefined {
    const { attributes } = span;
    const call = this.reader.databaseCall(attributes);
    const { startMs, endMs } = timesOf(span, this.heardMs.get(span));
    const errorType = errorTypeOf(span);
    if (call !== undefined) {
      const { template, text: query, parameters = [span.spanContext().spanId] } = call;
      const parent = root === undefined ? ROOT_CONTEXT : withRequest(ROOT_CONTEXT, root.request);
      const operation = new DatabaseOperation(template, query, parameters, parent, startMs, 0);
      operation.endMs = endMs;
      operation.errorType = errorType;
      operation.rows = number(attributes, "db.response.returned_rows");
      operation.statusCode = text(attributes, "db.response.status_code");
      return operation;
    }
    const method = text(attributes, "http.request.method", "http.method");
    const url = text(attributes, "url.full", "http.url");
    if (span.kind !== SpanKind.CLIENT || method === undefined || url === undefined) return undefined;
    const sent: HttpClientOperation = {
      kind: "http.client",
      context: ROOT_CONTEXT,
      request: root?.request,
      startMs,
      endMs,
      error: undefined,
      errorType,
      span: undefined,
      attributes: undefined,
      method,
      originalMethod: undefined,
      url,
      serverAddress: text(attributes, "server.address", "net.peer.name") ?? "",
      serverPort: number(attributes, "server.port", "net.peer.port"),
      protocolVersion: undefined,
      statusCode: number(attributes, "http.response.status_code", "http.status_code") ?? 0,
      takenSite: undefined,
      site: undefined,
    };
    return sent;
  }
}

function isCall({ kind, attributes }: EndedSpan): boolean {
  return (
    kind === SpanKind.CLIENT ||
    kind === SpanKind.PRODUCER ||
    text(attributes, "db.system.name", "db.system") !== undefined
  );
}

/** The span of a request has its route at the end; that of its handler in Express and Fastify as it begins, before the handler's queries. */
function noteRoute({ request }: Root, { attributes }: EndedSpan): void {
  const type = text(attributes, "express.type", "fastify.type");
  if (type === "request_handler" || type === "request-handler") request.route = text(attributes, "http.route");
}

/** What a call waited for is not known from its span. */
function withoutWhy(attributes: Attributes | undefined): Attributes | undefined {
  if (attributes === undefined) return undefined;
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !name.startsWith("telltale.why.")));
}

/** Stands for a request served; of a job or message the method is its span's name. */
function startServed(span: EndedSpan): Root["request"] {
  const { attributes, name } = span;
  const operation: HttpServerOperation = {
    ...timesOf(span),
    kind: "http.server",
    context: ROOT_CONTEXT,
    request: undefined,
    endMs: 0,
    error: undefined,
    errorType: undefined,
    span: undefined,
    attributes: undefined,
    method: text(attributes, "http.request.method", "http.method") ?? name,
    originalMethod: undefined,
    scheme: "http",
    path: text(attributes, "url.path", "http.target") ?? "",
    query: undefined,
    serverAddress: undefined,
    serverPort: undefined,
    clientAddress: undefined,
    userAgent: undefined,
    protocolVersion: "",
    statusCode: 0,
    isStreaming: false,
  };
  operation.request = { operation, route: undefined, slots: [] };
  return operation.request;
}

/** What is known of it by its end; the route is, at last. */
function endServed({ request }: Root, span: EndedSpan): HttpServerOperation {
  const { operation } = request;
  operation.endMs = timesOf(span).endMs;
  operation.statusCode = number(span.attributes, "http.response.status_code", "http.status_code") ?? 0;
  operation.errorType = errorTypeOf(span);
  request.route = text(span.attributes, "http.route");
  return operation;
}

/**
 * On the clock of `performance.now()`. The SDK's is corrected for every span, by up to a millisecond either way: calls one after the other
 * seem to overlap. So what begins or ends just now does so now; what somebody tells of later keeps its times.
 */
function timesOf({ startTime, endTime }: EndedSpan, heardMs = Number.NaN): { startMs: number; endMs: number } {
  const origin = epochOriginMs();
  return {
    startMs: nearest(toMs(startTime) - origin, heardMs),
    endMs: nearest(toMs(endTime) - origin, performance.now()),
  };
}

const SAME_MS = 5;

function nearest(givenMs: number, heardMs: number): number {
  return Math.abs(givenMs - heardMs) < SAME_MS ? heardMs : givenMs;
}

function toMs([seconds, nanos]: HrTime): number {
  return seconds * 1e3 + nanos / 1e6;
}

function errorTypeOf({ status, attributes }: EndedSpan): string | undefined {
  return text(attributes, "error.type") ?? (status.code === SpanStatusCode.ERROR ? "_OTHER" : undefined);
}
