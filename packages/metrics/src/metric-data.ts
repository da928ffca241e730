import { type Attributes, type HrTime, ValueType } from "@opentelemetry/api";
import { AggregationTemporality, type DataPoint, DataPointType, type MetricData } from "@opentelemetry/sdk-metrics";
import type { MetricDefinition } from "@telltale/core";
import type { HistogramSeries, NumberSeries, SeriesSet } from "./series.js";

/** Series of a counter, up-down counter or gauge as the SDK's readers take them; copied, because the series go on. */
export function numberData(
  definition: MetricDefinition,
  series: Iterable<Readonly<NumberSeries>>,
  endTime: HrTime,
): MetricData[] {
  const dataPoints: DataPoint<number>[] = [];
  for (const { attributes, startTime, value } of series) dataPoints.push({ attributes, startTime, endTime, value });
  if (dataPoints.length === 0) return [];
  const base = describe(definition);
  return definition.kind === "gauge"
    ? [{ ...base, dataPointType: DataPointType.GAUGE, dataPoints }]
    : [{ ...base, dataPointType: DataPointType.SUM, isMonotonic: definition.kind === "counter", dataPoints }];
}

/** The same for histograms. */
export function histogramData(
  definition: MetricDefinition,
  series: Iterable<Readonly<HistogramSeries>>,
  endTime: HrTime,
): MetricData[] {
  const dataPoints = [];
  for (const { attributes, startTime, bounds, counts, count, sum, min, max } of series) {
    if (count === 0) continue;
    const buckets = { boundaries: [...bounds], counts: [...counts] };
    dataPoints.push({ attributes, startTime, endTime, value: { buckets, count, sum, min, max } });
  }
  if (dataPoints.length === 0) return [];
  return [{ ...describe(definition), dataPointType: DataPointType.HISTOGRAM, dataPoints }];
}

export function numberSetData(set: SeriesSet<NumberSeries>, endTime: HrTime): MetricData[] {
  return numberData(set.definition, set.all(), endTime);
}

export function histogramSetData(set: SeriesSet<HistogramSeries>, endTime: HrTime): MetricData[] {
  return histogramData(set.definition, set.all(), endTime);
}

function describe({ name, unit, description }: MetricDefinition) {
  const valueType = unit === "s" || unit === "1" ? ValueType.DOUBLE : ValueType.INT;
  return {
    descriptor: { name, unit, description, valueType },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
}

/** Attributes without those that are not known. */
export function known(attributes: Readonly<Record<string, string | number | undefined>>): Attributes {
  const result: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) result[name] = value;
  return result;
}
