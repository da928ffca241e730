export type { AnyValue, KeyValue, Resource, Scope } from "./common-messages.js";
export { decodeLogs, type LogMessage, type LogsRequest, parseLogs } from "./logs.js";
export { OtlpError } from "./message.js";
export {
  decodeMetrics,
  type ExemplarMessage,
  type ExponentialBuckets,
  type ExponentialHistogramPoint,
  type HistogramPoint,
  type MetricMessage,
  type MetricsRequest,
  parseMetrics,
} from "./metrics.js";
export {
  decodeTraces,
  type EventMessage,
  type LinkMessage,
  parseTraces,
  type SpanMessage,
  type TracesRequest,
} from "./traces.js";
