import { type Attributes, ValueType } from "@opentelemetry/api";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type Histogram,
  type MetricData,
} from "@opentelemetry/sdk-metrics";
import {
  createRenderer,
  type DropReason,
  type Exemplar,
  negotiateFormat,
  type Page,
  type RenderOptions,
} from "../src/index.js";

type Points<T> = readonly (readonly [Attributes, T])[];

export interface Naming {
  unit?: string;
  description?: string;
}

export function counter(name: string, points: Points<number>, naming: Naming = {}): MetricData {
  return { ...base(name, naming), dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: at(points) };
}

export function upDown(name: string, points: Points<number>, naming: Naming = {}): MetricData {
  return { ...base(name, naming), dataPointType: DataPointType.SUM, isMonotonic: false, dataPoints: at(points) };
}

export function gauge(name: string, points: Points<number>, naming: Naming = {}): MetricData {
  return { ...base(name, naming), dataPointType: DataPointType.GAUGE, dataPoints: at(points) };
}

export function histogram(name: string, points: Points<Histogram>, naming: Naming = {}): MetricData {
  return { ...base(name, naming), dataPointType: DataPointType.HISTOGRAM, dataPoints: at(points) };
}

export function exponential(name: string, points: Points<ExponentialHistogram>, naming: Naming = {}): MetricData {
  return { ...base(name, naming), dataPointType: DataPointType.EXPONENTIAL_HISTOGRAM, dataPoints: at(points) };
}

/** Counts by bucket, the last for what is above all bounds. */
export function buckets(boundaries: number[], counts: number[], sum?: number): Histogram {
  const count = counts.reduce((all, one) => all + one, 0);
  return { buckets: { boundaries, counts }, count, ...(sum !== undefined && { sum }) };
}

/** With exemplars, as the points of our own metrics may have them. */
export function withExemplars(metric: MetricData, exemplars: readonly Exemplar[]): MetricData {
  for (const point of metric.dataPoints) Object.assign(point, { exemplars });
  return metric;
}

export interface Rendered {
  readonly bytes: Buffer;
  readonly lines: string[];
  readonly dropped: [DropReason, string][];
}

/** A page of metrics of one scope, `app`, for a scraper that accepts this; text 0.0.4 by default. */
export async function render(
  metrics: MetricData[],
  changes: Partial<Page & RenderOptions> & { accept?: string } = {},
): Promise<Rendered> {
  const dropped: [DropReason, string][] = [];
  const page: Page = { resource: { attributes: {} }, scopeMetrics: [{ scope: { name: "app" }, metrics }], ...changes };
  const renderer = createRenderer({
    naming: "UnderscoreEscapingWithSuffixes",
    labelsScope: () => false,
    resourceLabels: [],
    limit: { bytes: Infinity, cut: () => {} },
    dropped: (reason, metric) => void dropped.push([reason, metric]),
    ...changes,
  });
  const chunks: Buffer[] = [];
  for await (const chunk of await renderer(page, negotiateFormat(changes.accept))) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return { bytes, lines: bytes.toString().split("\n").slice(0, -1), dropped };
}

function base(name: string, { unit = "", description = "" }: Naming) {
  return {
    descriptor: { name, unit, description, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
}

function at<T>(points: Points<T>): DataPoint<T>[] {
  return points.map(([attributes, value]) => ({ attributes, value, startTime: [1, 0], endTime: [2, 0] }));
}
