import type { ExemplarMessage, KeyValue, MetricMessage, MetricsRequest } from "@telltale/otlp";
import { type Buckets, isCount, explicitBuckets, exponentialBuckets } from "./buckets.js";
import type { Entry, Refusal } from "./entries.js";
import type { Store } from "./open-store.js";
import type { Resources } from "./resources.js";
import type { Series, SeriesKind } from "./series.js";
import type { Tally } from "./tally.js";
import { microsOf, nowMicros } from "./times.js";
import { isId } from "./write-spans.js";

/** A point of any kind of metric, in the words of the table. */
export interface PointEntry {
  readonly metric: MetricMessage;
  readonly kind: SeriesKind;
  readonly isMonotonic: boolean;
  readonly isDelta: boolean;
  readonly attributes: readonly KeyValue[] | undefined;
  readonly time: bigint | undefined;
  readonly start: bigint | undefined;
  readonly flags: number | undefined;
  readonly value: number;
  readonly count?: number | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Made when it is written: many are not. */
  readonly buckets?: () => Buckets | undefined;
  readonly exemplars?: readonly ExemplarMessage[] | undefined;
}

const DELTA = 1;
const NO_VALUE = 1;
const MAX_EXEMPLARS = 32;

export function* eachPoint(request: MetricsRequest): Generator<Entry<PointEntry>> {
  for (const { resource, scopeMetrics = [] } of request.resourceMetrics ?? [])
    for (const { scope, metrics = [] } of scopeMetrics)
      for (const metric of metrics) for (const item of pointsOf(metric)) yield { resource, scope, item };
}

function* pointsOf(metric: MetricMessage): Generator<PointEntry> {
  const { gauge, sum, histogram, exponentialHistogram, summary } = metric;
  const gauges = { metric, kind: "gauge", isMonotonic: false, isDelta: false } as const;
  for (const point of gauge?.dataPoints ?? []) yield { ...gauges, ...common(point), value: valueOf(point) };
  const sums = {
    metric,
    kind: "sum",
    isMonotonic: sum?.isMonotonic === true,
    isDelta: sum?.aggregationTemporality === DELTA,
  } as const;
  for (const point of sum?.dataPoints ?? []) yield { ...sums, ...common(point), value: valueOf(point) };
  const isDelta = (histogram ?? exponentialHistogram)?.aggregationTemporality === DELTA;
  for (const point of histogram?.dataPoints ?? []) {
    const { sum: value = 0, count = 0, min, max } = point;
    const buckets = () => explicitBuckets(point);
    yield { metric, kind: "histogram", isMonotonic: true, isDelta, ...common(point), value, count, min, max, buckets };
  }
  for (const point of exponentialHistogram?.dataPoints ?? []) {
    const { sum: value = 0, count = 0, min, max } = point;
    const buckets = () => exponentialBuckets(point);
    const kind = "exponential_histogram";
    yield { metric, kind, isMonotonic: true, isDelta, ...common(point), value, count, min, max, buckets };
  }
  for (const point of summary?.dataPoints ?? []) {
    const { sum: value = 0, count = 0, quantileValues = [] } = point;
    const at = (wanted: number) => quantileValues.find(({ quantile = 0 }) => quantile === wanted);
    const ends = { min: at(0)?.value, max: at(1)?.value };
    yield { metric, kind: "summary", isMonotonic: true, isDelta: false, ...common(point), value, count, ...ends };
  }
}

function common(point: {
  readonly attributes?: readonly KeyValue[];
  readonly timeUnixNano?: bigint;
  readonly startTimeUnixNano?: bigint;
  readonly flags?: number;
  readonly exemplars?: readonly ExemplarMessage[];
}) {
  const { attributes, timeUnixNano: time, startTimeUnixNano: start, flags, exemplars } = point;
  return { attributes, time, start, flags, exemplars };
}

function valueOf({ asDouble, asInt }: { readonly asDouble?: number; readonly asInt?: number | bigint }): number {
  return Number(asDouble ?? asInt ?? 0);
}

/** Keeps points; what cannot be kept is told. */
export function createPointWriter(
  { db }: Store,
  resources: Resources,
  series: Series,
  tally: Tally,
): (entry: Entry<PointEntry>) => Refusal {
  const insert = db.prepare(
    "INSERT INTO point (id, series_id, time_us, start_us, value, count, min, max, buckets, exemplars) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );

  return ({ resource, scope, item: point }) => {
    const { time = 0n, start = 0n, flags = 0, value, count, exemplars } = point;
    if (point.metric.name === undefined || point.metric.name === "") return "a metric must have a name";
    if (count !== undefined && !isCount(count)) return "a count must be a whole number below 2 ** 53";
    // What is no longer measured is said by a point without value.
    if (flags % 2 === NO_VALUE) return undefined;
    if (!Number.isFinite(value)) return "a value must be finite";
    const resourceId = resources.idOf(resource, "point");
    if (resourceId === undefined) return "too many resources: no room for another";
    const seriesId = series.idOf(resourceId, scope, point);
    if (seriesId === undefined) return "too many series: no room for another";
    const buckets = point.buckets?.();
    insert.run(
      ++tally.point.last,
      seriesId,
      time === 0n ? nowMicros() : microsOf(time),
      microsOf(start),
      value,
      count ?? null,
      finite(point.min),
      finite(point.max),
      buckets === undefined ? null : JSON.stringify(buckets),
      exemplarsJson(exemplars),
    );
    return undefined;
  };
}

function finite(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value;
}

/** Those that lead to a trace. */
function exemplarsJson(exemplars: readonly ExemplarMessage[] | undefined): string | null {
  if (exemplars === undefined || exemplars.length === 0) return null;
  const kept = exemplars
    .filter(({ traceId = "" }) => isId(traceId, 32))
    .slice(0, MAX_EXEMPLARS)
    .map(({ traceId = "", spanId = "", timeUnixNano = 0n, ...rest }) => ({
      value: valueOf(rest),
      timeMs: microsOf(timeUnixNano) / 1_000,
      traceId,
      spanId: isId(spanId, 16) ? spanId : "",
    }));
  return kept.length === 0 ? null : JSON.stringify(kept);
}
