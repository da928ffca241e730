import type { Attributes, HrTime } from "@opentelemetry/api";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type Histogram,
  type MetricData,
  type ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import type { Exemplar } from "../exemplars.js";
import { canBeTold, exemplarsOf } from "./exemplars.js";
import { ReportBuilder } from "./report-builder.js";
import type { MetricKind, ReportFrame } from "./report.js";

/** A series as the other end knows it. */
class Told {
  readonly id: number;
  readonly startTime: HrTime;
  /** The last page that had it. */
  page = 0;
  isRetired = false;
  /** Of a number, or the count of a histogram. */
  value: number | undefined = undefined;
  counts: readonly number[] = [];
  exemplars: readonly Exemplar[] = [];

  constructor(id: number, startTime: HrTime) {
    this.id = id;
    this.startTime = startTime;
  }
}

interface ToldMetric {
  readonly id: number;
  readonly kind: MetricKind;
  /** Most keep their attributes from page to page, so the same object is the same series … */
  readonly byAttributes: WeakMap<Attributes, Told>;
  /** … and where it is another object, its text tells. */
  readonly byKey: Map<string, Told>;
}

type AnyPoint = DataPoint<number> | DataPoint<Histogram> | DataPoint<ExponentialHistogram>;

/** Turns the pages of one process into reports: whatever is not as the other end knows it. One for each connection. */
export class ReportEncoder {
  private readonly metrics = new Map<string, ToldMetric>();
  private readonly builder = new ReportBuilder();
  private readonly freeIds: number[] = [];
  /** Free from the next frame on: within one, whoever reads it takes new series before retired ones. */
  private readonly freed: number[] = [];
  private nextId = 0;
  private pages = 0;

  /** The frames of a report. To be read to the end before the next page comes; in between, whoever reads may rest. */
  *encode(scopeMetrics: readonly ScopeMetrics[], omit: ReadonlySet<string> = NOTHING): Generator<ReportFrame> {
    this.pages++;
    for (const { scope, metrics } of scopeMetrics) {
      for (const data of metrics) {
        if (data.dataPoints.length === 0 || omit.has(data.descriptor.name) || isDelta(data)) continue;
        const metric = this.metricOf(scope, data);
        for (const point of data.dataPoints) {
          this.write(metric, point);
          if (this.builder.isFull) yield this.take();
        }
      }
    }
    for (const metric of this.metrics.values()) {
      for (const [key, told] of metric.byKey) if (told.page !== this.pages) this.retire(metric, key, told);
    }
    if (!this.builder.isEmpty) yield this.take();
  }

  private take(): ReportFrame {
    this.freeIds.push(...this.freed.splice(0));
    return this.builder.take();
  }

  private metricOf({ name: scopeName, version, schemaUrl }: ScopeMetrics["scope"], data: MetricData): ToldMetric {
    const { name, description, unit, valueType } = data.descriptor;
    const kind = kindOf(data);
    const [first] = data.dataPointType === DataPointType.HISTOGRAM ? data.dataPoints : [];
    const bounds = first?.value.buckets.boundaries;
    const key = JSON.stringify([scopeName, version, schemaUrl, name, unit, kind, bounds]);
    let metric = this.metrics.get(key);
    if (metric === undefined) {
      metric = { id: this.metrics.size, kind, byAttributes: new WeakMap(), byKey: new Map() };
      this.metrics.set(key, metric);
      const scope = {
        name: scopeName,
        ...(version !== undefined && { version }),
        ...(schemaUrl !== undefined && { schemaUrl }),
      };
      const { id } = metric;
      this.builder.newMetric({ id, scope, name, description, unit, valueType, kind, ...(bounds && { bounds }) });
    }
    return metric;
  }

  private write(metric: ToldMetric, point: AnyPoint): void {
    const { value } = point;
    const told = this.toldOf(metric, point.attributes, point.startTime);
    told.page = this.pages;
    if (typeof value === "number") {
      if (Object.is(value, told.value)) return;
      told.value = value;
      if (metric.kind === "counter") this.builder.counter(told.id, value, 0, fresh(told, point));
      else this.builder.number(told.id, value);
    } else if (value.count !== told.value) {
      told.value = value.count;
      if ("buckets" in value) this.writeHistogram(told, value, fresh(told, point));
      else this.builder.exponential(told.id, value.sum ?? Number.NaN, 0, value);
    }
  }

  private writeHistogram(told: Told, { buckets, sum }: Histogram, exemplars: readonly Exemplar[]): void {
    this.builder.histogram(told.id, sum ?? Number.NaN, 0, buckets.counts, told.counts, exemplars);
    told.counts = buckets.counts;
  }

  private toldOf(metric: ToldMetric, attributes: Attributes, startTime: HrTime): Told {
    const { pages } = this;
    let told = metric.byAttributes.get(attributes);
    if (told !== undefined && !told.isRetired && told.page !== pages && isSame(told.startTime, startTime)) return told;
    let key = seriesKey(attributes);
    // Two instruments of one name, say one of them observable: each is told for itself, and the other end adds them up.
    while (metric.byKey.get(key)?.page === pages) key += " ";
    told = metric.byKey.get(key);
    if (told !== undefined && !isSame(told.startTime, startTime)) {
      // Begun anew (another pool of the same name): what the first one counted stays, and this one adds.
      this.retire(metric, key, told);
      told = undefined;
    }
    if (told === undefined) {
      told = new Told(this.freeIds.pop() ?? this.nextId++, startTime);
      metric.byKey.set(key, told);
      this.builder.newSeries([told.id, metric.id, attributes, startTime]);
    }
    metric.byAttributes.set(attributes, told);
    return told;
  }

  private retire(metric: ToldMetric, key: string, told: Told): void {
    metric.byKey.delete(key);
    told.isRetired = true;
    this.freed.push(told.id);
    this.builder.retired(told.id);
  }
}

/** The exemplars that the other end does not have. */
function fresh(told: Told, point: AnyPoint): readonly Exemplar[] {
  const exemplars = exemplarsOf(point);
  const untold = exemplars.filter((one) => !told.exemplars.includes(one) && canBeTold(one));
  told.exemplars = exemplars;
  return untold;
}

const NOTHING: ReadonlySet<string> = new Set();

function kindOf(data: MetricData): MetricKind {
  switch (data.dataPointType) {
    case DataPointType.GAUGE:
      return "gauge";
    case DataPointType.SUM:
      return data.isMonotonic ? "counter" : "updowncounter";
    case DataPointType.HISTOGRAM:
      return "histogram";
    case DataPointType.EXPONENTIAL_HISTOGRAM:
      return "exponential";
  }
}

/** Prometheus cannot have them, see `families.ts`. */
function isDelta(data: MetricData): boolean {
  return data.dataPointType !== DataPointType.GAUGE && data.aggregationTemporality === AggregationTemporality.DELTA;
}

function isSame(one: HrTime, other: HrTime): boolean {
  return one[0] === other[0] && one[1] === other[1];
}

/** Equal for equal attributes, in whatever order they come. */
export function seriesKey(attributes: Attributes): string {
  return JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}
