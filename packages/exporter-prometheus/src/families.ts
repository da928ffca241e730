import type { Attributes, HrTime } from "@opentelemetry/api";
import {
  AggregationTemporality,
  DataPointType,
  type ExponentialHistogram,
  type Histogram,
  type MetricData,
  type ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import { type FamilyType, type Slices, unitOf } from "@telltale/core";
import type { Exemplar } from "./exemplars.js";
import { addExponential, toFixedBuckets } from "./exponential.js";
import type { Labels } from "./labels.js";

/** One value of a series; the SDK's data points are such. */
export interface Point {
  readonly value: number | Histogram | ExponentialHistogram;
  readonly startTime: HrTime;
  readonly exemplars?: readonly Exemplar[];
}

/** One metric as Prometheus sees it: all series of one name, of whatever scope. */
export interface Family {
  readonly name: string;
  readonly type: FamilyType | "info";
  help: string;
  /** In words; empty for none. */
  unit: string;
  /** By rendered labels. */
  readonly series: Map<string, Point>;
}

/** Why a metric, or a part of it, cannot be shown. */
export type DropReason = "name" | "type" | "temporality" | "duplicate" | "value" | "size";

export interface FamilyOptions {
  readonly labels: Labels;
  /** Whether the series of a scope are labelled with its name and version. */
  labelsScope(scope: ScopeMetrics["scope"]): boolean;
  /** Told of each metric left out, at each collection. */
  dropped(reason: DropReason, metric: string, text: string): void;
}

/** What families are made of; the SDK's ResourceMetrics is such a page. */
export interface Page {
  readonly resource: { readonly attributes: Attributes };
  readonly scopeMetrics: readonly ScopeMetrics[];
}

/** The families of a page, small ones first: what a limit cuts off is then the metric with too many series. */
export async function collectFamilies(page: Page, options: FamilyOptions, slices: Slices): Promise<readonly Family[]> {
  const { labels, dropped } = options;
  const { claim, all } = createFamilies();
  const target = labels.ofResource(page.resource.attributes);
  const targetName = labels.naming.metric(TARGET_INFO) ?? TARGET_INFO.name;
  if (target !== "") {
    const info = claim(targetName, "info");
    if (info !== undefined) info.help = "What this process is.";
    info?.series.set(target, { value: 1, startTime: [0, 0] });
  }

  for (const { scope, metrics } of page.scopeMetrics) {
    const scopeLabels = options.labelsScope(scope) ? labels.ofScope(scope) : "";
    for (const metric of metrics) {
      const { name: own, unit } = metric.descriptor;
      if (metric.dataPoints.length === 0) continue;
      const type = familyType(metric);
      const named = { name: own, unit, type, isRatio: metric.dataPointType === DataPointType.GAUGE };
      const name = labels.naming.metric(named);
      if (isDelta(metric)) {
        dropped("temporality", own, `${own} has delta temporality, Prometheus needs cumulative`);
      } else if (name === undefined) {
        dropped("name", own, `${JSON.stringify(own)} has no letter that Prometheus takes`);
      } else {
        const family = name === targetName ? undefined : claim(name, type);
        if (family === undefined) {
          dropped("type", own, `${own}: there is already another metric ${name}, of another type`);
          continue;
        }
        family.unit ||= unitOf(named);
        await addSeries(family, metric, scopeLabels, options, slices);
      }
    }
  }
  return all()
    .filter(({ series }) => series.size > 0)
    .sort((a, b) => a.series.size - b.series.size);
}

const TARGET_INFO = { name: "target_info", unit: "", type: "gauge", isRatio: false } as const;

/** The names of all samples of a family; OpenMetrics keeps `_created` for itself. */
export function sampleNames({ name, type }: Pick<Family, "name" | "type">): readonly string[] {
  return type === "histogram" ? ["", "_bucket", "_sum", "_count", "_created"].map((suffix) => name + suffix) : [name];
}

function createFamilies() {
  const families = new Map<string, Family>();
  /** Every name that a sample has: the gauge `x_count` must not meet the histogram `x`. */
  const taken = new Set<string>();
  return {
    /** The family of that name; undefined where the name is another type's. */
    claim(name: string, type: Family["type"]): Family | undefined {
      const existing = families.get(name);
      if (existing !== undefined) return existing.type === type ? existing : undefined;
      const family: Family = { name, type, help: "", unit: "", series: new Map() };
      const samples = sampleNames(family);
      if (samples.some((sample) => taken.has(sample))) return undefined;
      for (const sample of samples) taken.add(sample);
      families.set(name, family);
      return family;
    },
    all: () => [...families.values()],
  };
}

async function addSeries(
  family: Family,
  metric: MetricData,
  scopeLabels: string,
  { labels, dropped }: FamilyOptions,
  slices: Slices,
): Promise<void> {
  const { name, description } = metric.descriptor;
  const { series, type } = family;
  const adds = metric.dataPointType !== DataPointType.GAUGE;
  const isCounter = type === "counter";
  family.help ||= description;
  let refused = false;
  let wrong = false;
  for (const point of metric.dataPoints as readonly (Point & { readonly attributes: Attributes })[]) {
    if (slices.over) await slices.rest();
    // A user's own NaN: a total of it never recovers, and OpenMetrics has no such counter.
    if (isCounter && !((point.value as number) >= 0)) {
      wrong = true;
      continue;
    }
    const own = labels.ofSeries(point.attributes);
    const key = scopeLabels === "" ? own : labels.join(own, scopeLabels);
    const before = series.get(key);
    const merged = before === undefined ? point : merge(before, point, adds);
    if (merged === undefined) refused = true;
    else series.set(key, merged);
  }
  if (refused) dropped("duplicate", name, `${name} has two values for one series of ${family.name}`);
  if (wrong) dropped("value", name, `${name} counts, and some of its values are below zero or no number`);
}

function familyType(metric: MetricData): FamilyType {
  if (metric.dataPointType === DataPointType.GAUGE) return "gauge";
  if (metric.dataPointType === DataPointType.SUM) return metric.isMonotonic ? "counter" : "gauge";
  return "histogram";
}

function isDelta(metric: MetricData): boolean {
  return metric.dataPointType !== DataPointType.GAUGE && metric.aggregationTemporality === AggregationTemporality.DELTA;
}

/** Two scopes without scope labels, or two attributes with one label, can make one series of two: what adds up is added. */
function merge(first: Point, second: Point, adds: boolean): Point | undefined {
  if (!adds) return undefined;
  const value = add(first.value, second.value);
  if (value === undefined) return undefined;
  const exemplars = [...(first.exemplars ?? []), ...(second.exemplars ?? [])];
  return { value, startTime: first.startTime, exemplars };
}

function add(first: Point["value"], second: Point["value"]): Point["value"] | undefined {
  if (typeof first === "number" || typeof second === "number") {
    return typeof first === "number" && typeof second === "number" ? first + second : undefined;
  }
  if ("scale" in first && "scale" in second) return addExponential(first, second);
  const a = fixed(first);
  const b = fixed(second);
  if (String(a.buckets.boundaries) !== String(b.buckets.boundaries)) return undefined;
  const sum = a.sum === undefined || b.sum === undefined ? undefined : a.sum + b.sum;
  return {
    buckets: {
      boundaries: a.buckets.boundaries,
      counts: a.buckets.counts.map((held, n) => held + (b.buckets.counts[n] ?? 0)),
    },
    count: a.count + b.count,
    ...(sum !== undefined && { sum }),
  };
}

/** A histogram with fixed buckets. */
export function fixed(value: Histogram | ExponentialHistogram): Histogram {
  return "scale" in value ? toFixedBuckets(value) : value;
}

/** OpenMetrics tells the unit of a family only where its name ends with it. */
export function showsUnit(name: string, unit: string): boolean {
  return unit !== "" && name.endsWith(`_${unit}`);
}

/** Whether the sum only ever grows: to Prometheus one that falls has begun anew. */
export function sumGrows(boundaries: readonly number[]): boolean {
  return !((boundaries[0] ?? 0) < 0);
}
