import type { Attributes } from "@opentelemetry/api";
import { count, type MetricDefinition } from "@telltale/core";
import { HistogramSeries } from "./histogram-series.js";
import { NumberSeries } from "./number-series.js";

/** Attributes of the series that takes what a full metric refuses, as the metrics SDK specification names it. */
export const OVERFLOW: Attributes = { "otel.metric.overflow": true };

/** Values of attributes; those that are not known are left out. */
export type Values = Readonly<Record<string, string | number | undefined>>;

/**
 * The series of one metric: at most `limit` in the process's life, the overflow series included. (The SDK's own limit forgets at
 * each collection.) Whoever records finds them in a way of its own; no key is put together for a measurement.
 */
export class SeriesSet<Series> {
  readonly definition: MetricDefinition;
  private readonly limit: number;
  private readonly create: (attributes: Attributes) => Series;
  private readonly byKey = new Map<string, Series>();
  private readonly series: Series[] = [];
  private overflow: Series | undefined;

  constructor(definition: MetricDefinition, limit: number, create: (attributes: Attributes) => Series) {
    this.definition = definition;
    this.limit = limit;
    this.create = create;
  }

  /** Those of now: what comes while a collection rests would have begun after the time that its points are of. */
  get all(): readonly Series[] {
    return this.overflow === undefined ? this.series.slice() : [...this.series, this.overflow];
  }

  get isFull(): boolean {
    return this.series.length >= this.limit - 1;
  }

  /** A new series, while the metric is not full; afterwards `refuse` has the one that stands for all the rest. */
  add(values: Values): Series {
    const series = this.create(known(values));
    this.series.push(series);
    return series;
  }

  /** The series with these attributes, by a key: for what comes rarely, or is kept by whoever asks. */
  of(values: Values): Series {
    const key = JSON.stringify(values);
    let series = this.byKey.get(key);
    if (series !== undefined) return series;
    if (this.isFull) return this.refuse();
    this.byKey.set(key, (series = this.add(values)));
    return series;
  }

  /** Counts what is refused, and returns the series that takes it. */
  refuse(): Series {
    count("telltale.labels.overflow", "telltale.label", this.definition.name);
    return (this.overflow ??= this.create(OVERFLOW));
  }
}

export function createNumberSet(definition: MetricDefinition, limit: number): SeriesSet<NumberSeries> {
  return new SeriesSet(definition, limit, (attributes) => new NumberSeries(attributes));
}

export function createHistogramSet(definition: MetricDefinition, limit: number): SeriesSet<HistogramSeries> {
  const bounds = [...(definition.buckets ?? [])];
  return new SeriesSet(definition, limit, (attributes) => new HistogramSeries(attributes, bounds));
}

/** Attributes without those that are not known. */
export function known(values: Values): Attributes {
  const result: Attributes = {};
  for (const name in values) if (values[name] !== undefined) result[name] = values[name];
  return result;
}
