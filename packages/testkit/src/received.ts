import type { AnyValue, KeyValue, MetricMessage, MetricsRequest, SpanMessage, TracesRequest } from "@telltale/otlp";

/** A value of an attribute. */
export type AttributeValue =
  | string
  | number
  | boolean
  | Uint8Array
  | AttributeValue[]
  | { [key: string]: AttributeValue };
export type AttributeMap = Record<string, AttributeValue | undefined>;

/** A span as it arrived over the wire. */
export interface ReceivedSpan {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Undefined for a root. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "producer" | "consumer" | "unspecified";
  /** Nanoseconds since the epoch. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: AttributeMap;
  readonly status: { readonly code: "unset" | "ok" | "error"; readonly message: string };
  readonly events: readonly { readonly name: string; readonly attributes: AttributeMap }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string; readonly attributes: AttributeMap }[];
  readonly resource: AttributeMap;
  readonly scope: string;
}

/** One series of a metric as it arrived over the wire. */
export interface ReceivedPoint {
  readonly metric: string;
  readonly unit: string;
  readonly kind: "gauge" | "sum" | "histogram";
  readonly attributes: AttributeMap;
  /** The value; for a histogram its sum. */
  readonly value: number;
  /** For histograms. */
  readonly count: number | undefined;
  readonly buckets: readonly number[] | undefined;
  readonly resource: AttributeMap;
}

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
const STATUS = ["unset", "ok", "error"] as const;

/** The spans of an export request. */
export function flattenSpans(request: TracesRequest): ReceivedSpan[] {
  return (request.resourceSpans ?? []).flatMap((group) => {
    const resource = attributes(group.resource?.attributes);
    return (group.scopeSpans ?? []).flatMap(({ scope, spans = [] }) =>
      spans.map((span) => flattenSpan(span, resource, scope?.name ?? "")),
    );
  });
}

function flattenSpan(span: SpanMessage, resource: AttributeMap, scope: string): ReceivedSpan {
  const { status, parentSpanId = "" } = span;
  return {
    traceId: span.traceId ?? "",
    spanId: span.spanId ?? "",
    parentSpanId: parentSpanId === "" ? undefined : parentSpanId,
    name: span.name ?? "",
    kind: KINDS[span.kind ?? 0] ?? "unspecified",
    startNs: span.startTimeUnixNano ?? 0n,
    endNs: span.endTimeUnixNano ?? 0n,
    attributes: attributes(span.attributes),
    status: { code: STATUS[status?.code ?? 0] ?? "unset", message: status?.message ?? "" },
    events: (span.events ?? []).map((event) => ({
      name: event.name ?? "",
      attributes: attributes(event.attributes),
    })),
    links: (span.links ?? []).map((link) => ({
      traceId: link.traceId ?? "",
      spanId: link.spanId ?? "",
      attributes: attributes(link.attributes),
    })),
    resource,
    scope,
  };
}

/** The series of an export request. */
export function flattenPoints(request: MetricsRequest): ReceivedPoint[] {
  return (request.resourceMetrics ?? []).flatMap((group) => {
    const resource = attributes(group.resource?.attributes);
    return (group.scopeMetrics ?? []).flatMap(({ metrics = [] }) =>
      metrics.flatMap((metric) => flattenMetric(metric, resource)),
    );
  });
}

function flattenMetric(metric: MetricMessage, resource: AttributeMap): ReceivedPoint[] {
  const { name = "", unit = "" } = metric;
  const points: ReceivedPoint[] = [];
  for (const kind of ["gauge", "sum"] as const) {
    for (const point of metric[kind]?.dataPoints ?? []) {
      points.push({
        metric: name,
        unit,
        kind,
        attributes: attributes(point.attributes),
        value: Number(point.asDouble ?? point.asInt ?? 0),
        count: undefined,
        buckets: undefined,
        resource,
      });
    }
  }
  for (const { attributes: pairs, sum, count, bucketCounts } of metric.histogram?.dataPoints ?? []) {
    const buckets = bucketCounts === undefined ? undefined : [...bucketCounts];
    points.push({
      metric: name,
      unit,
      kind: "histogram",
      attributes: attributes(pairs),
      value: sum ?? 0,
      count,
      buckets,
      resource,
    });
  }
  return points;
}

function attributes(pairs: readonly KeyValue[] = []): AttributeMap {
  return Object.fromEntries(pairs.map(({ key, value }) => [key ?? "", attributeValue(value)]));
}

function attributeValue(value: AnyValue | undefined): AttributeValue | undefined {
  if (value === undefined) return undefined;
  const { arrayValue, kvlistValue, intValue } = value;
  if (intValue !== undefined) return Number(intValue);
  if (arrayValue !== undefined)
    return (arrayValue.values ?? []).map(attributeValue).filter((item) => item !== undefined);
  if (kvlistValue !== undefined) return attributes(kvlistValue.values) as Record<string, AttributeValue>;
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? value.bytesValue;
}
