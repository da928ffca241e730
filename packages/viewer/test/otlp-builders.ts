import type {
  AnyValue,
  KeyValue,
  LogMessage,
  LogsRequest,
  MetricMessage,
  MetricsRequest,
  SpanMessage,
  TracesRequest,
} from "@telltale/otlp";

// Requests as they are once they are read.

let made = 0;

export function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, "0");
}

type Plain = string | number | boolean | readonly Plain[];

function value(plain: Plain): AnyValue {
  if (typeof plain === "string") return { stringValue: plain };
  if (typeof plain === "boolean") return { boolValue: plain };
  if (typeof plain === "number") return Number.isInteger(plain) ? { intValue: plain } : { doubleValue: plain };
  return { arrayValue: { values: plain.map(value) } };
}

export function attributes(of: Readonly<Record<string, Plain>>): KeyValue[] {
  return Object.entries(of).map(([key, plain]) => ({ key, value: value(plain) }));
}

/** A root in a trace of its own, of 5 ms, of which only what matters need be said. */
export function span(said: SpanMessage & { readonly about?: Readonly<Record<string, Plain>> } = {}): SpanMessage {
  made += 1;
  const { about = {}, ...rest } = said;
  return {
    traceId: hex(made, 32),
    spanId: hex(made, 16),
    name: "span",
    kind: 1,
    startTimeUnixNano: 1_700_000_000_123_456_789n,
    endTimeUnixNano: 1_700_000_000_128_456_789n,
    attributes: attributes(about),
    ...rest,
  };
}

const SHOP = { "service.name": "shop", "service.instance.id": "shop-1" };

export function traces(spans: readonly SpanMessage[], resource: Readonly<Record<string, Plain>> = SHOP): TracesRequest {
  return {
    resourceSpans: [
      { resource: { attributes: attributes(resource) }, scopeSpans: [{ scope: { name: "test" }, spans }] },
    ],
  };
}

export function logs(logRecords: readonly LogMessage[], resource: Readonly<Record<string, Plain>> = SHOP): LogsRequest {
  return {
    resourceLogs: [
      { resource: { attributes: attributes(resource) }, scopeLogs: [{ scope: { name: "test" }, logRecords }] },
    ],
  };
}

export function metrics(
  list: readonly MetricMessage[],
  resource: Readonly<Record<string, Plain>> = SHOP,
): MetricsRequest {
  return {
    resourceMetrics: [
      { resource: { attributes: attributes(resource) }, scopeMetrics: [{ scope: { name: "test" }, metrics: list }] },
    ],
  };
}
