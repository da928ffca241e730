import type { Attributes, HrTime } from "@opentelemetry/api";
import { AggregationTemporality, type DataPoint, DataPointType, type MetricData } from "@opentelemetry/sdk-metrics";
import { count, type MetricDefinition } from "@telltale/core";

/** What may be an attribute of a series; undefined ones are left out. */
export type SeriesValue = string | number | undefined;

/** One series that adds up. */
export interface Sum {
  add(by: number): void;
}
/** One series of a histogram; values in the unit of the metric. */
export interface Distribution {
  record(value: number): void;
}

/** All series of one metric, kept for the life of the process: cumulative, and bounded across collections. */
export interface Family<Cell> {
  /** The series of these values (in the order of the family's attribute names); keep it where it is used often. */
  cell(...values: readonly SeriesValue[]): Cell;
  /** Undefined while nothing was recorded. */
  collect(endTime: HrTime): MetricData | undefined;
}

/** The specification's mark on the series that takes what is over the limit. */
const OVERFLOW: Attributes = { "otel.metric.overflow": true };

function createFamily<Cell extends { point(endTime: HrTime): DataPoint<unknown> }>(
  definition: MetricDefinition,
  names: readonly string[],
  limit: number,
  create: (attributes: Attributes) => Cell,
  toData: (points: DataPoint<never>[]) => MetricData,
): Family<Cell> {
  const cells = new Map<string, Cell>();
  let overflow: Cell | undefined;
  return {
    cell(...values) {
      const key = values.join("\u0000");
      const known = cells.get(key);
      if (known !== undefined) return known;
      if (cells.size >= limit) {
        count("telltale.labels.overflow", "telltale.label", definition.name);
        overflow ??= create(OVERFLOW);
        return overflow;
      }
      const attributes: Attributes = {};
      for (const [n, name] of names.entries()) if (values[n] !== undefined) attributes[name] = values[n];
      const cell = create(attributes);
      cells.set(key, cell);
      return cell;
    },
    collect(endTime) {
      if (cells.size === 0) return undefined;
      const all = overflow === undefined ? [...cells.values()] : [...cells.values(), overflow];
      return toData(all.map((cell) => cell.point(endTime) as DataPoint<never>));
    },
  };
}

/** Series that add up: counters, and up-down counters where `definition.kind` says so. */
export function createSumFamily(definition: MetricDefinition, names: readonly string[], limit: number): Family<Sum> {
  return createFamily(
    definition,
    names,
    limit,
    (attributes) => {
      const startTime = toHrTime(performance.now());
      let value = 0;
      return {
        add(by: number) {
          value += by;
        },
        point: (endTime: HrTime) => ({ attributes, startTime, endTime, value }),
      };
    },
    (dataPoints) => sumData(definition, dataPoints),
  );
}

/** Histograms with the explicit buckets of the definition. */
export function createHistogramFamily(
  definition: MetricDefinition,
  names: readonly string[],
  limit: number,
): Family<Distribution> {
  const boundaries = [...(definition.buckets ?? [])];
  return createFamily(
    definition,
    names,
    limit,
    (attributes) => createDistribution(attributes, boundaries),
    (dataPoints) => ({
      descriptor: describe(definition),
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints,
    }),
  );
}

function createDistribution(
  attributes: Attributes,
  boundaries: number[],
): Distribution & { point(endTime: HrTime): DataPoint<unknown> } {
  const startTime = toHrTime(performance.now());
  const counts = boundaries.map(() => 0).concat(0);
  let total = 0;
  let sum = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  return {
    record(value) {
      let bucket = 0;
      while (bucket < boundaries.length && value > (boundaries[bucket] as number)) bucket++;
      (counts[bucket] as number)++;
      total++;
      sum += value;
      if (value < min) min = value;
      if (value > max) max = value;
    },
    point: (endTime) => ({
      attributes,
      startTime,
      endTime,
      value: { buckets: { boundaries, counts: [...counts] }, sum, count: total, min, max },
    }),
  };
}

/** One value read at the collection, with its attributes. */
export type Observation = readonly [value: number, attributes: Attributes];

/** Values that are read when they are collected, as a gauge or a sum by the definition's kind. */
export function observedData(
  definition: MetricDefinition,
  observations: readonly Observation[],
  startTime: HrTime,
  endTime: HrTime,
): MetricData {
  const dataPoints = observations.map(([value, attributes]) => ({ value, attributes, startTime, endTime }));
  if (definition.kind !== "gauge") return sumData(definition, dataPoints);
  return {
    descriptor: describe(definition),
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.GAUGE,
    dataPoints,
  };
}

function sumData(definition: MetricDefinition, dataPoints: DataPoint<number>[]): MetricData {
  return {
    descriptor: describe(definition),
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.SUM,
    isMonotonic: definition.kind === "counter",
    dataPoints,
  };
}

function describe({ name, description, unit }: MetricDefinition) {
  return { name, description, unit, valueType: 1 };
}

/** `performance.now()` as seconds and nanoseconds since the epoch. */
export function toHrTime(ms: number): HrTime {
  const epochMs = performance.timeOrigin + ms;
  const seconds = Math.floor(epochMs / 1000);
  return [seconds, Math.round((epochMs - seconds * 1000) * 1e6)];
}
