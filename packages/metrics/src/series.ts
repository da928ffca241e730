import type { Attributes, HrTime } from "@opentelemetry/api";
import { count, type MetricDefinition } from "@telltale/core";
import { toHrTime } from "./time.js";

/** One series of a counter or gauge: whoever records keeps it and changes `value`. */
export interface NumberSeries {
  readonly attributes: Attributes;
  readonly startTime: HrTime;
  value: number;
}

/** One series of a histogram with fixed buckets. */
export interface HistogramSeries {
  readonly attributes: Attributes;
  readonly startTime: HrTime;
  /** Upper bounds, inclusive, ascending. */
  readonly bounds: readonly number[];
  /** One more than bounds: the last counts what is above all of them. */
  readonly counts: number[];
  count: number;
  sum: number;
  min: number;
  max: number;
}

export function createNumberSeries(attributes: Attributes): NumberSeries {
  return { attributes, startTime: toHrTime(Date.now()), value: 0 };
}

export function createHistogramSeries(definition: MetricDefinition, attributes: Attributes): HistogramSeries {
  const bounds = definition.buckets ?? [];
  return {
    attributes,
    startTime: toHrTime(Date.now()),
    bounds,
    counts: Array.from({ length: bounds.length + 1 }, () => 0),
    count: 0,
    sum: 0,
    min: Infinity,
    max: -Infinity,
  };
}

/** Records one value; what is no duration (NaN, negative) would spoil the sum for ever and is left out. */
export function observe(series: HistogramSeries, value: number): void {
  if (!(value >= 0)) return;
  let bucket = 0;
  // Linear: 14 bounds at most, and most values fall into the first few.
  for (const bound of series.bounds) {
    if (value <= bound) break;
    bucket++;
  }
  series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
  series.count++;
  series.sum += value;
  if (value < series.min) series.min = value;
  if (value > series.max) series.max = value;
}

/** What tells the series of a metric apart. */
type Value = string | number | undefined;

/**
 * The series of one metric. They are found by the one value that tells most of them apart (a route), then by comparing the
 * few others one after the other: no key is put together for a measurement (a request costs 1.0 µs with keys, 0.06 µs so).
 */
export interface SeriesSet<Series> {
  readonly definition: MetricDefinition;
  get(first: Value, a?: Value, b?: Value, c?: Value, d?: Value, e?: Value): Series | undefined;
  /** A new series, found by these values from now on; once the metric is full, the one that stands for all the rest. */
  add(attributes: Attributes, first: Value, a?: Value, b?: Value, c?: Value, d?: Value, e?: Value): Series;
  all(): Iterable<Series>;
}

interface Entry<Series> {
  readonly a: Value;
  readonly b: Value;
  readonly c: Value;
  readonly d: Value;
  readonly e: Value;
  readonly series: Series;
}

/** Attributes of the series that takes what a full metric refuses, as the metrics SDK specification names it. */
export const OVERFLOW: Attributes = { "otel.metric.overflow": true };

/**
 * At most `limit` series of one metric in the process's life, the overflow series included. (The SDK's own limit forgets at
 * each collection.)
 */
function createSeriesSet<Series>(
  definition: MetricDefinition,
  limit: number,
  create: (attributes: Attributes) => Series,
): SeriesSet<Series> {
  const byFirst = new Map<Value, Entry<Series>[]>();
  const all: Series[] = [];
  let overflow: Series | undefined;
  return {
    definition,
    get(first, a, b, c, d, e) {
      const entries = byFirst.get(first);
      if (entries === undefined) return undefined;
      for (const entry of entries) {
        if (entry.a === a && entry.b === b && entry.c === c && entry.d === d && entry.e === e) return entry.series;
      }
      return undefined;
    },
    add(attributes, first, a, b, c, d, e) {
      if (all.length >= limit - 1) {
        count("telltale.labels.overflow", "telltale.label", definition.name);
        return (overflow ??= create(OVERFLOW));
      }
      const series = create(attributes);
      all.push(series);
      const entries = byFirst.get(first) ?? [];
      entries.push({ a, b, c, d, e, series });
      byFirst.set(first, entries);
      return series;
    },
    all: () => (overflow === undefined ? all : [...all, overflow]),
  };
}

export function createNumberSet(definition: MetricDefinition, limit: number): SeriesSet<NumberSeries> {
  return createSeriesSet(definition, limit, createNumberSeries);
}

export function createHistogramSet(definition: MetricDefinition, limit: number): SeriesSet<HistogramSeries> {
  return createSeriesSet(definition, limit, (attributes) => createHistogramSeries(definition, attributes));
}
