import type { Answer } from "../api/answer-api.js";
import type { Store } from "../store/open-store.js";
import { readDependencies } from "./dependencies.js";
import { findTraces } from "./find-traces.js";
import { malformed, readBoolean, readInteger, readMoment } from "./go-values.js";
import { JaegerError } from "./jaeger-error.js";
import { readOperations, readServices } from "./operations.js";
import { toTracesData } from "./otlp-json.js";
import { makeRoom, readTrace, type TraceRows } from "./read-spans.js";
import { readTraceId, showTraceId } from "./trace-id.js";
import { readText, readTraceQuery, readTraceQueryV3 } from "./trace-query.js";
import { summarizeTrace } from "./trace-summary.js";
import { toUiTrace } from "./ui-trace.js";

/** What a route needs: `rest` is what the path has in its place of `*`, decoded. */
interface Asked {
  readonly store: Store;
  readonly parameters: URLSearchParams;
  readonly rest: string;
  readonly nowMs: number;
}
type Route = (asked: Asked) => object;

// Jaeger itself has taken the first three, and the search, out of its version 2.21 (its UI asks api_v3); Grafana and older UIs ask them.
const V1: Readonly<Record<string, Route>> = {
  services: ({ store }) => listed(readServices(store)),
  operations: ({ store, parameters }) => {
    const service = readText(parameters, "service");
    if (service === undefined) throw new JaegerError(400, "parameter 'service' is required");
    return listed(readOperations(store, service, readText(parameters, "spanKind")));
  },
  "services/*/operations": ({ store, rest }) => {
    return listed([...new Set(readOperations(store, rest).map(({ name }) => name))]);
  },
  traces: searchTraces,
  "traces/*": ({ store, parameters, rest }) => {
    for (const name of ["start", "end"]) readIf(parameters, name, readInteger);
    readIf(parameters, "raw", readBoolean);
    return structured([toUiTrace(getTrace(store, readTraceId(rest)))]);
  },
  dependencies: answerDependencies,
  "metrics/latencies": noMetrics,
  "metrics/calls": noMetrics,
  "metrics/errors": noMetrics,
};

const V3: Readonly<Record<string, Route>> = {
  services: ({ store }) => ({ services: readServices(store) }),
  operations: ({ store, parameters }) => {
    const spanKind = readText(parameters, "spanKind") ?? readText(parameters, "span_kind");
    const operations = readOperations(store, readText(parameters, "service") ?? "", spanKind);
    return { operations: operations.map(({ name, spanKind: kind }) => ({ name, spanKind: kind || "internal" })) };
  },
  traces: ({ store, parameters }) => {
    const traces = readTraces(store, findTraces(store, readTraceQueryV3(parameters)));
    if (traces.length === 0) throw new JaegerError(404, "No traces found");
    return { result: toTracesData(traces) };
  },
  "traces/*": ({ store, parameters, rest }) => {
    const traceId = readTraceId(rest, "trace_id");
    for (const name of ["startTime", "start_time", "endTime", "end_time"]) readIf(parameters, name, readMoment);
    for (const name of ["rawTraces", "raw_traces"]) readIf(parameters, name, readBoolean);
    return { result: toTracesData([getTrace(store, traceId)]) };
  },
  "trace-summaries": ({ store, parameters }) => ({
    summaries: findTraces(store, readTraceQueryV3(parameters)).map((traceId) => summarizeTrace(store, traceId)),
  }),
};

/**
 * Answers `GET /api/…` as Jaeger's query service does, for its UI and for Grafana. `url`: path and query. Undefined where Jaeger has no such
 * path. What is wrong with the parameters is told in Jaeger's form, with its status.
 */
export function answerJaeger(store: Store, url: string | URL, nowMs: number = Date.now()): Answer | undefined {
  const { pathname, searchParams: parameters } = new URL(url, "http://localhost");
  if (!pathname.startsWith("/api/")) return undefined;
  const isV3 = pathname.startsWith("/api/v3/");
  const segments = pathname.slice(isV3 ? "/api/v3/".length : "/api/".length).split("/");
  const place = segments.length > 1 && segments[0] !== "metrics" ? 1 : -1;
  const pattern = segments.map((segment, index) => (index === place ? "*" : segment)).join("/");
  const routes = isV3 ? V3 : V1;
  const route = Object.hasOwn(routes, pattern) && segments[place] !== "" ? routes[pattern] : undefined;
  if (route === undefined) return undefined;
  try {
    const rest = decode(segments[place] ?? "");
    return { status: 200, body: route({ store, parameters, rest, nowMs }) };
  } catch (error) {
    if (!(error instanceof JaegerError)) throw error;
    return { status: error.status, body: isV3 ? tellV3(error) : tellV1(error) };
  }
}

/** `structuredResponse` of its HTTP handler. */
function tellV1({ status, message, parameter }: JaegerError): object {
  const msg = parameter === undefined ? message : `unable to parse param '${parameter}': ${message}`;
  return { data: null, total: 0, limit: 0, offset: 0, errors: [{ code: status, msg }] };
}

/** `jaeger.api_v3.GRPCGatewayError` */
function tellV3({ status, message, parameter }: JaegerError): object {
  const text = parameter === undefined ? message : `malformed parameter ${parameter}: ${message}`;
  return { error: { httpCode: status, message: text } };
}

function searchTraces({ store, parameters, nowMs }: Asked): object {
  const query = readTraceQuery(parameters, nowMs);
  const ids = parameters
    .getAll("traceID")
    .slice(0, query.limit)
    .map((id) => readTraceId(id));
  if (ids.length === 0) return structured(readTraces(store, findTraces(store, query)).map(toUiTrace));
  const traces = readTraces(store, ids);
  const missing = ids.filter((id) => !traces.some(({ traceId }) => traceId === id));
  const errors = missing.map((id) => ({ msg: "trace not found", traceID: showTraceId(id) }));
  return structured(traces.map(toUiTrace), errors.length === 0 ? null : errors);
}

/** Within one room: those that find none have no spans, and are left out. */
function readTraces(store: Store, ids: readonly string[]): TraceRows[] {
  const room = makeRoom();
  const traces = ids.map((id) => readTrace(store, id, room));
  return traces.filter((trace) => trace !== undefined && trace.spans.length > 0) as TraceRows[];
}

function getTrace(store: Store, traceId: string): TraceRows {
  const trace = readTrace(store, traceId, makeRoom());
  if (trace === undefined) throw new JaegerError(404, "trace not found");
  return trace;
}

function answerDependencies({ store, parameters, nowMs }: Asked): object {
  const endMs = readIf(parameters, "endTs", readInteger) ?? nowMs;
  const lookbackMs = readIf(parameters, "lookback", readInteger) ?? 24 * 3_600e3;
  if (lookbackMs < 0) throw malformed("lookback", "it is below 0");
  const service = readText(parameters, "service");
  const all = readDependencies(store, (endMs - lookbackMs) * 1_000, endMs * 1_000);
  return structured(
    all.filter(({ parent, child }) => service === undefined || parent === service || child === service),
  );
}

/** As a Jaeger without a store of metrics: its UI then says so on its page Monitor. */
function noMetrics(): never {
  throw new JaegerError(501, "trace metrics are currently disabled - no metrics backend configured");
}

function readIf<T>(parameters: URLSearchParams, name: string, read: (text: string, name: string) => T): T | undefined {
  const text = readText(parameters, name);
  return text === undefined ? undefined : read(text, name);
}

function listed(data: readonly unknown[]): object {
  return { ...structured(data), total: data.length };
}

function structured(data: readonly unknown[], errors: readonly object[] | null = null): object {
  return { data, total: 0, limit: 0, offset: 0, errors };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new JaegerError(400, `invalid URL escape in ${JSON.stringify(segment.slice(0, 100))}`);
  }
}
