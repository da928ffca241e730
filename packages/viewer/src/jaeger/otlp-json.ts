import type { AttributeMap, Value } from "../api/answers.js";
import { parseObject } from "../api/attributes.js";
import { readEvents, readLinks } from "./read-details.js";
import type { SpanRow, TraceRows } from "./read-spans.js";

// The JSON form of opentelemetry.proto.trace.v1.TracesData: ids are hexadecimal, enums numbers, numbers of 64 bits texts; what has its default
// is left out (undefined, which JSON leaves out).

/** Deeper values are empty ones. */
const MAX_DEPTH = 20;

export interface TracesData {
  readonly resourceSpans: readonly object[];
}

/** Traces as OTLP has them: by resource, then by scope. */
export function toTracesData(traces: readonly TraceRows[]): TracesData {
  return { resourceSpans: traces.flatMap(({ spans }) => groupByResource(spans)) };
}

function groupByResource(spans: readonly SpanRow[]): object[] {
  return groupBy(spans, ({ resource_id }) => resource_id).map((ofResource) => ({
    resource: { attributes: toAttributes(parseObject(ofResource[0].resource)) },
    scopeSpans: groupBy(ofResource, ({ scope }) => scope).map((ofScope) => ({
      scope: { name: ofScope[0].scope || undefined },
      spans: ofScope.map(toSpan),
    })),
  }));
}

function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): [T, ...T[]][] {
  const groups = new Map<K, [T, ...T[]]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

function toSpan(span: SpanRow): object {
  const start = nanos(span.start_us);
  const events = readEvents(span).map(({ name, timeUs, attributes }) => ({
    timeUnixNano: String(nanos(timeUs)),
    name: name || undefined,
    attributes: toAttributes(attributes),
  }));
  const links = readLinks(span).map(({ traceId, spanId, attributes }) => ({
    traceId,
    spanId,
    attributes: toAttributes(attributes),
  }));
  return {
    traceId: span.trace_id,
    spanId: span.span_id,
    traceState: span.trace_state || undefined,
    parentSpanId: span.parent_id || undefined,
    name: span.name || undefined,
    kind: span.kind || undefined,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(span.duration_ns)),
    attributes: toAttributes(parseObject(span.attributes)),
    events: events.length === 0 ? undefined : events,
    links: links.length === 0 ? undefined : links,
    status: { message: span.status_message || undefined, code: span.status || undefined },
  };
}

/** Of whole microseconds. */
export function nanos(us: number): bigint {
  return BigInt(us) * 1_000n;
}

function toAttributes(attributes: AttributeMap): object[] | undefined {
  const list = toKeyValues(attributes, 0);
  return list.length === 0 ? undefined : list;
}

function toKeyValues(attributes: AttributeMap, depth: number): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: toAnyValue(value, depth) }));
}

function toAnyValue(value: Value, depth: number): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number")
    return Number.isInteger(value) ? { intValue: showInteger(value) } : { doubleValue: value };
  if (value === null || depth >= MAX_DEPTH) return {};
  if (Array.isArray(value)) return { arrayValue: { values: value.map((one: Value) => toAnyValue(one, depth + 1)) } };
  return { kvlistValue: { values: toKeyValues(value as AttributeMap, depth + 1) } };
}

/** Without an exponent. */
function showInteger(value: number): string {
  return String(BigInt(value));
}
