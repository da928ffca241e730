import type { Attributes } from "@opentelemetry/api";
import {
  AggregationTemporality,
  DataPointType,
  type Histogram,
  type MetricData,
  type ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import type { FamilyType, Naming, Slices } from "@telltale/core";
import { toFixedBuckets } from "./exponential.js";
import { joinLabels, renderScope } from "./labels.js";

/** One metric as Prometheus sees it: all series of one name, of whatever scope. */
export interface Family {
  readonly name: string;
  readonly type: FamilyType;
  help: string;
  /** By rendered labels. */
  readonly series: Map<string, number | Histogram>;
}

/** Why a metric cannot be shown. */
export type DropReason = "name" | "type" | "temporality" | "duplicate";

export interface FamilyOptions {
  readonly naming: Naming;
  /** Attributes as labels, see `createLabelRenderer`. */
  labels(attributes: Attributes): string;
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

/** The families of a page, `target_info` first. */
export async function collectFamilies(page: Page, options: FamilyOptions, slices: Slices): Promise<Iterable<Family>> {
  const { claim, all } = createFamilies();
  const target = options.labels(page.resource.attributes);
  const info = claim("target_info", "gauge");
  if (info !== undefined && target !== "") {
    info.help = "What this process is.";
    info.series.set(target, 1);
  }

  for (const { scope, metrics } of page.scopeMetrics) {
    const scopeLabels = options.labelsScope(scope) ? renderScope(scope) : "";
    for (const metric of metrics) {
      const { name: own, unit } = metric.descriptor;
      const type = familyType(metric);
      const name = options.naming.metric({
        name: own,
        unit,
        type,
        isRatio: metric.dataPointType === DataPointType.GAUGE,
      });
      if (metric.dataPoints.length === 0) continue;
      if (isDelta(metric)) {
        options.dropped("temporality", own, `${own} has delta temporality, Prometheus needs cumulative`);
      } else if (name === undefined) {
        options.dropped("name", own, `${JSON.stringify(own)} has no letter that Prometheus takes`);
      } else {
        const family = name === "target_info" ? undefined : claim(name, type);
        if (family !== undefined) await addSeries(family, metric, scopeLabels, options, slices);
        else options.dropped("type", own, `${own}: there is already another metric ${name}, of another type`);
      }
    }
  }
  return all().filter(({ series }) => series.size > 0);
}

function createFamilies() {
  const families = new Map<string, Family>();
  /** Every name that a sample has: the gauge `x_count` must not meet the histogram `x`. */
  const taken = new Set<string>();
  return {
    /** The family of that name; undefined where the name is another type's. */
    claim(name: string, type: FamilyType): Family | undefined {
      const existing = families.get(name);
      if (existing !== undefined) return existing.type === type ? existing : undefined;
      const samples = type === "histogram" ? ["", "_bucket", "_sum", "_count"].map((suffix) => name + suffix) : [name];
      if (samples.some((sample) => taken.has(sample))) return undefined;
      for (const sample of samples) taken.add(sample);
      const family: Family = { name, type, help: "", series: new Map() };
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
  options: FamilyOptions,
  slices: Slices,
): Promise<void> {
  const { name, description } = metric.descriptor;
  const adds = metric.dataPointType !== DataPointType.GAUGE;
  const { series } = family;
  family.help ||= description;
  let refused = false;
  for (const { attributes, value } of metric.dataPoints) {
    if (slices.over) await slices.rest();
    const labels = joinLabels(options.labels(attributes), scopeLabels);
    const shown = typeof value === "number" || "buckets" in value ? value : toFixedBuckets(value);
    const before = series.get(labels);
    const merged = before === undefined ? shown : merge(before, shown, adds);
    if (merged === undefined) refused = true;
    else series.set(labels, merged);
  }
  if (refused) options.dropped("duplicate", name, `${name} has two values for one series of ${family.name}`);
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
function merge(first: number | Histogram, second: number | Histogram, adds: boolean): number | Histogram | undefined {
  if (!adds) return undefined;
  if (typeof first === "number") return typeof second === "number" ? first + second : undefined;
  if (typeof second === "number" || String(first.buckets.boundaries) !== String(second.buckets.boundaries)) {
    return undefined;
  }
  const sum = first.sum === undefined || second.sum === undefined ? undefined : first.sum + second.sum;
  return {
    buckets: {
      boundaries: first.buckets.boundaries,
      counts: first.buckets.counts.map((held, n) => held + (second.buckets.counts[n] ?? 0)),
    },
    count: first.count + second.count,
    ...(sum !== undefined && { sum }),
  };
}
