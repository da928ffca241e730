import type { Message } from "./protobuf.js";

// The messages of OTLP that are read here, by the field numbers of https://github.com/open-telemetry/opentelemetry-proto 1.x and
// the names of its JSON form.

const AnyValue: Message = {
  1: ["stringValue", () => "string"],
  2: ["boolValue", () => "bool"],
  3: ["intValue", () => "int64"],
  4: ["doubleValue", () => "double"],
  5: ["arrayValue", () => ArrayValue],
  6: ["kvlistValue", () => KeyValueList],
  7: ["bytesValue", () => "bytes"],
};
const ArrayValue: Message = { 1: ["values", () => AnyValue, "many"] };
const KeyValue: Message = { 1: ["key", () => "string"], 2: ["value", () => AnyValue] };
const KeyValueList: Message = { 1: ["values", () => KeyValue, "many"] };
const Resource: Message = { 1: ["attributes", () => KeyValue, "many"] };
const Scope: Message = { 1: ["name", () => "string"], 2: ["version", () => "string"] };

const Event: Message = {
  1: ["timeUnixNano", () => "fixed64"],
  2: ["name", () => "string"],
  3: ["attributes", () => KeyValue, "many"],
};
const Link: Message = {
  1: ["traceId", () => "bytes"],
  2: ["spanId", () => "bytes"],
  3: ["traceState", () => "string"],
  4: ["attributes", () => KeyValue, "many"],
};
const Status: Message = { 2: ["message", () => "string"], 3: ["code", () => "enum"] };
const Span: Message = {
  1: ["traceId", () => "bytes"],
  2: ["spanId", () => "bytes"],
  3: ["traceState", () => "string"],
  4: ["parentSpanId", () => "bytes"],
  5: ["name", () => "string"],
  6: ["kind", () => "enum"],
  7: ["startTimeUnixNano", () => "fixed64"],
  8: ["endTimeUnixNano", () => "fixed64"],
  9: ["attributes", () => KeyValue, "many"],
  11: ["events", () => Event, "many"],
  13: ["links", () => Link, "many"],
  15: ["status", () => Status],
  16: ["flags", () => "fixed32"],
};
const ScopeSpans: Message = { 1: ["scope", () => Scope], 2: ["spans", () => Span, "many"] };
const ResourceSpans: Message = { 1: ["resource", () => Resource], 2: ["scopeSpans", () => ScopeSpans, "many"] };
export const ExportTraceServiceRequest: Message = { 1: ["resourceSpans", () => ResourceSpans, "many"] };

const NumberDataPoint: Message = {
  2: ["startTimeUnixNano", () => "fixed64"],
  3: ["timeUnixNano", () => "fixed64"],
  4: ["asDouble", () => "double"],
  6: ["asInt", () => "sfixed64"],
  7: ["attributes", () => KeyValue, "many"],
};
const HistogramDataPoint: Message = {
  2: ["startTimeUnixNano", () => "fixed64"],
  3: ["timeUnixNano", () => "fixed64"],
  4: ["count", () => "fixed64"],
  5: ["sum", () => "double"],
  6: ["bucketCounts", () => "fixed64", "many"],
  7: ["explicitBounds", () => "double", "many"],
  9: ["attributes", () => KeyValue, "many"],
};
const Gauge: Message = { 1: ["dataPoints", () => NumberDataPoint, "many"] };
const Sum: Message = {
  1: ["dataPoints", () => NumberDataPoint, "many"],
  2: ["aggregationTemporality", () => "enum"],
  3: ["isMonotonic", () => "bool"],
};
const Histogram: Message = {
  1: ["dataPoints", () => HistogramDataPoint, "many"],
  2: ["aggregationTemporality", () => "enum"],
};
const Metric: Message = {
  1: ["name", () => "string"],
  2: ["description", () => "string"],
  3: ["unit", () => "string"],
  5: ["gauge", () => Gauge],
  7: ["sum", () => Sum],
  9: ["histogram", () => Histogram],
};
const ScopeMetrics: Message = { 1: ["scope", () => Scope], 2: ["metrics", () => Metric, "many"] };
const ResourceMetrics: Message = { 1: ["resource", () => Resource], 2: ["scopeMetrics", () => ScopeMetrics, "many"] };
export const ExportMetricsServiceRequest: Message = { 1: ["resourceMetrics", () => ResourceMetrics, "many"] };
