import { KeyValue, Resource, Scope } from "./common-messages.js";
import { parse } from "./json.js";
import { message } from "./message.js";
import { decode } from "./protobuf.js";

const Exemplar = message({
  2: ["timeUnixNano", () => "nanos"],
  3: ["asDouble", () => "double"],
  4: ["spanId", () => "id"],
  5: ["traceId", () => "id"],
  6: ["asInt", () => "sfixed64"],
  7: ["filteredAttributes", () => KeyValue, "many"],
});
const NumberDataPoint = message({
  2: ["startTimeUnixNano", () => "nanos"],
  3: ["timeUnixNano", () => "nanos"],
  4: ["asDouble", () => "double"],
  5: ["exemplars", () => Exemplar, "many"],
  6: ["asInt", () => "sfixed64"],
  7: ["attributes", () => KeyValue, "many"],
  8: ["flags", () => "uint32"],
});
const HistogramDataPoint = message({
  2: ["startTimeUnixNano", () => "nanos"],
  3: ["timeUnixNano", () => "nanos"],
  4: ["count", () => "count"],
  5: ["sum", () => "double"],
  6: ["bucketCounts", () => "count", "many"],
  7: ["explicitBounds", () => "double", "many"],
  8: ["exemplars", () => Exemplar, "many"],
  9: ["attributes", () => KeyValue, "many"],
  10: ["flags", () => "uint32"],
  11: ["min", () => "double"],
  12: ["max", () => "double"],
});
const Buckets = message({ 1: ["offset", () => "sint32"], 2: ["bucketCounts", () => "varcount", "many"] });
const ExponentialHistogramDataPoint = message({
  1: ["attributes", () => KeyValue, "many"],
  2: ["startTimeUnixNano", () => "nanos"],
  3: ["timeUnixNano", () => "nanos"],
  4: ["count", () => "count"],
  5: ["sum", () => "double"],
  6: ["scale", () => "sint32"],
  7: ["zeroCount", () => "count"],
  8: ["positive", () => Buckets],
  9: ["negative", () => Buckets],
  10: ["flags", () => "uint32"],
  11: ["exemplars", () => Exemplar, "many"],
  12: ["min", () => "double"],
  13: ["max", () => "double"],
  14: ["zeroThreshold", () => "double"],
});
const ValueAtQuantile = message({ 1: ["quantile", () => "double"], 2: ["value", () => "double"] });
const SummaryDataPoint = message({
  2: ["startTimeUnixNano", () => "nanos"],
  3: ["timeUnixNano", () => "nanos"],
  4: ["count", () => "count"],
  5: ["sum", () => "double"],
  6: ["quantileValues", () => ValueAtQuantile, "many"],
  7: ["attributes", () => KeyValue, "many"],
  8: ["flags", () => "uint32"],
});
const Gauge = message({ 1: ["dataPoints", () => NumberDataPoint, "many"] });
const Sum = message({
  1: ["dataPoints", () => NumberDataPoint, "many"],
  2: ["aggregationTemporality", () => "enum"],
  3: ["isMonotonic", () => "bool"],
});
const Histogram = message({
  1: ["dataPoints", () => HistogramDataPoint, "many"],
  2: ["aggregationTemporality", () => "enum"],
});
const ExponentialHistogram = message({
  1: ["dataPoints", () => ExponentialHistogramDataPoint, "many"],
  2: ["aggregationTemporality", () => "enum"],
});
const Summary = message({ 1: ["dataPoints", () => SummaryDataPoint, "many"] });
const Metric = message({
  1: ["name", () => "string"],
  2: ["description", () => "string"],
  3: ["unit", () => "string"],
  5: ["gauge", () => Gauge],
  7: ["sum", () => Sum],
  9: ["histogram", () => Histogram],
  10: ["exponentialHistogram", () => ExponentialHistogram],
  11: ["summary", () => Summary],
});
const ScopeMetrics = message({ 1: ["scope", () => Scope], 2: ["metrics", () => Metric, "many"] });
const ResourceMetrics = message({ 1: ["resource", () => Resource], 2: ["scopeMetrics", () => ScopeMetrics, "many"] });
const ExportMetricsServiceRequest = message({ 1: ["resourceMetrics", () => ResourceMetrics, "many"] });

export interface ExemplarMessage {
  readonly timeUnixNano?: bigint;
  readonly asDouble?: number;
  readonly asInt?: number | bigint;
  readonly spanId?: string;
  readonly traceId?: string;
  readonly filteredAttributes?: readonly KeyValue[];
}

interface Point {
  readonly attributes?: readonly KeyValue[];
  readonly startTimeUnixNano?: bigint;
  readonly timeUnixNano?: bigint;
  /** Bit 0: there is no value. */
  readonly flags?: number;
  readonly exemplars?: readonly ExemplarMessage[];
}

export interface NumberPoint extends Point {
  readonly asDouble?: number;
  readonly asInt?: number | bigint;
}

export interface HistogramPoint extends Point {
  readonly count?: number;
  readonly sum?: number;
  readonly bucketCounts?: readonly number[];
  readonly explicitBounds?: readonly number[];
  readonly min?: number;
  readonly max?: number;
}

export interface ExponentialBuckets {
  readonly offset?: number;
  readonly bucketCounts?: readonly number[];
}

export interface ExponentialHistogramPoint extends Point {
  readonly count?: number;
  readonly sum?: number;
  readonly scale?: number;
  readonly zeroCount?: number;
  readonly zeroThreshold?: number;
  readonly positive?: ExponentialBuckets;
  readonly negative?: ExponentialBuckets;
  readonly min?: number;
  readonly max?: number;
}

export interface SummaryPoint extends Point {
  readonly count?: number;
  readonly sum?: number;
  readonly quantileValues?: readonly { readonly quantile?: number; readonly value?: number }[];
}

interface Aggregated<T> {
  readonly dataPoints?: readonly T[];
  /** 1 delta, 2 cumulative. */
  readonly aggregationTemporality?: number;
}

export interface MetricMessage {
  readonly name?: string;
  readonly description?: string;
  readonly unit?: string;
  readonly gauge?: { readonly dataPoints?: readonly NumberPoint[] };
  readonly sum?: Aggregated<NumberPoint> & { readonly isMonotonic?: boolean };
  readonly histogram?: Aggregated<HistogramPoint>;
  readonly exponentialHistogram?: Aggregated<ExponentialHistogramPoint>;
  readonly summary?: { readonly dataPoints?: readonly SummaryPoint[] };
}

export interface MetricsRequest {
  readonly resourceMetrics?: readonly {
    readonly resource?: Resource;
    readonly scopeMetrics?: readonly { readonly scope?: Scope; readonly metrics?: readonly MetricMessage[] }[];
  }[];
}

/** An ExportMetricsServiceRequest. Throws an OtlpError. */
export function decodeMetrics(bytes: Uint8Array): MetricsRequest {
  return decode(ExportMetricsServiceRequest, bytes);
}

/** The same in JSON. */
export function parseMetrics(text: string): MetricsRequest {
  return parse(ExportMetricsServiceRequest, text);
}
