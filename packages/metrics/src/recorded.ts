import { ValueType } from "@opentelemetry/api";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
} from "@opentelemetry/sdk-metrics";
import type { MetricDefinition, Slices } from "@telltale/core";
import type { HistogramSeries } from "./histogram-series.js";
import type { NumberSeries } from "./number-series.js";
import type { Reading } from "./reading.js";
import type { SeriesSet } from "./series-set.js";

/** One metric as it is now: what a collection makes points of. */
export type Recorded =
  | {
      readonly definition: MetricDefinition;
      readonly numbers: readonly NumberSeries[];
      /** Read when somebody collects, and not counted as it happens: an observable instrument, in the SDK's words. */
      readonly isObserved: boolean;
    }
  | { readonly definition: MetricDefinition; readonly histograms: readonly HistogramSeries[] };

export function recordedNumbers({ definition, all }: SeriesSet<NumberSeries>): Recorded {
  return { definition, numbers: all, isObserved: false };
}

export function recordedHistograms({ definition, all }: SeriesSet<HistogramSeries>): Recorded {
  return { definition, histograms: all };
}

/** A metric as the SDK's readers take it, copied, because the series go on; undefined where it has no points. */
export async function toMetricData(
  recorded: Recorded,
  delta: boolean,
  reading: Reading,
  slices: Slices,
): Promise<MetricData | undefined> {
  return "histograms" in recorded
    ? histogramData(recorded, delta, await collectPoints(recorded.histograms, delta, reading, slices))
    : numberData(recorded, delta, await collectPoints(recorded.numbers, delta, reading, slices));
}

/** The same in one piece, for the end of the process. */
export function toMetricDataAtOnce(recorded: Recorded, reading: Reading): MetricData | undefined {
  return "histograms" in recorded
    ? histogramData(recorded, false, present(recorded.histograms.map((one) => one.total(reading))))
    : numberData(recorded, false, present(recorded.numbers.map((one) => one.total(reading))));
}

function histogramData(
  { definition }: Recorded,
  delta: boolean,
  dataPoints: DataPoint<Histogram>[],
): MetricData | undefined {
  if (dataPoints.length === 0) return undefined;
  return { ...describe(definition, delta), dataPointType: DataPointType.HISTOGRAM, dataPoints };
}

function numberData({ definition }: Recorded, delta: boolean, dataPoints: DataPoint<number>[]): MetricData | undefined {
  if (dataPoints.length === 0) return undefined;
  const { kind } = definition;
  return kind === "gauge"
    ? { ...describe(definition, delta), dataPointType: DataPointType.GAUGE, dataPoints }
    : { ...describe(definition, delta), dataPointType: DataPointType.SUM, isMonotonic: kind === "counter", dataPoints };
}

function describe({ name, unit, description }: MetricDefinition, delta: boolean) {
  return {
    descriptor: { name, unit, description, valueType: unit === "s" || unit === "1" ? ValueType.DOUBLE : ValueType.INT },
    aggregationTemporality: delta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
  };
}

function present<Point>(points: readonly (Point | undefined)[]): Point[] {
  return points.filter((point) => point !== undefined);
}

interface Series<Value> {
  total(reading: Reading): DataPoint<Value> | undefined;
  added(reading: Reading): DataPoint<Value> | undefined;
}

async function collectPoints<Value>(
  series: readonly Series<Value>[],
  delta: boolean,
  reading: Reading,
  slices: Slices,
): Promise<DataPoint<Value>[]> {
  const points: DataPoint<Value>[] = [];
  for (const one of series) {
    if (slices.over) await slices.rest();
    const point = delta ? one.added(reading) : one.total(reading);
    if (point !== undefined) points.push(point);
  }
  return points;
}
