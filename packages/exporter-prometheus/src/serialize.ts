import type { Attributes, AttributeValue } from "@opentelemetry/api";
import {
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type Histogram,
  type MetricData,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { sayOnce } from "@telltale/core";
import { familyName, type FamilyType, labelName } from "./naming.js";

export interface SerializeOptions {
  /** `otel_scope_name` and `otel_scope_version` on every series. Default false: it doubles the page for what one rarely asks. */
  readonly scopeLabels?: boolean;
}

interface Family {
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  /** Whole lines, and the label sets seen, so that no series comes twice. */
  readonly lines: string[];
  readonly seen: Set<string>;
}

/** Metrics as Prometheus text format 0.0.4; https://prometheus.io/docs/instrumenting/exposition_formats/. */
export function serialize({ resource, scopeMetrics }: ResourceMetrics, options: SerializeOptions = {}): string {
  const families = new Map<string, Family>();
  for (const { scope, metrics } of scopeMetrics) {
    const scopeLabels: Attributes =
      options.scopeLabels === true ? { otel_scope_name: scope.name, otel_scope_version: scope.version ?? "" } : {};
    for (const metric of metrics) addMetric(families, metric, scopeLabels);
  }
  const info = `# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info${labels(resource.attributes)} 1\n`;
  const pages = [...families.values()].map(
    ({ name, type, help, lines }) =>
      `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`,
  );
  return info + pages.join("");
}

function addMetric(families: Map<string, Family>, metric: MetricData, scopeLabels: Attributes): void {
  const { name: original, unit, description } = metric.descriptor;
  const type = typeOf(metric);
  const name = familyName(original, unit, type);
  if (metric.dataPoints.length === 0) return;
  const family = families.get(name) ?? { name, type, help: description, lines: [], seen: new Set() };
  if (family.type !== type || name === "target_info") {
    sayOnce("info", `metric ${original} is left out of /metrics: ${name} is a ${family.type} already, not a ${type}`);
    return;
  }
  families.set(name, family);
  for (const point of metric.dataPoints as DataPoint<unknown>[]) {
    const attributes = { ...point.attributes, ...scopeLabels };
    const set = labels(attributes);
    if (family.seen.has(set)) continue;
    family.seen.add(set);
    if (metric.dataPointType === DataPointType.HISTOGRAM) addHistogram(family, attributes, point.value as Histogram);
    else if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) {
      addHistogram(family, attributes, toClassic(point.value as ExponentialHistogram));
    } else family.lines.push(`${name}${set} ${formatNumber(point.value as number)}`);
  }
}

function typeOf(metric: MetricData): FamilyType {
  if (metric.dataPointType === DataPointType.SUM) return metric.isMonotonic ? "counter" : "gauge";
  return metric.dataPointType === DataPointType.GAUGE ? "gauge" : "histogram";
}

function addHistogram({ name, lines }: Family, attributes: Attributes, value: Histogram): void {
  const { boundaries, counts } = value.buckets;
  // `le` belongs to the format; an attribute of that name would make two of it.
  const { le: _, ...own } = attributes;
  const open = labels(own).slice(0, -1);
  const prefix = open === "" ? "{" : `${open},`;
  let total = 0;
  for (const [n, boundary] of boundaries.entries()) {
    total += counts[n] ?? 0;
    lines.push(`${name}_bucket${prefix}le="${formatNumber(boundary)}"} ${total}`);
  }
  lines.push(`${name}_bucket${prefix}le="+Inf"} ${value.count}`);
  const set = labels(own);
  // A sum that may fall is no counter; the specification then leaves it out.
  if (value.sum !== undefined) lines.push(`${name}_sum${set} ${formatNumber(value.sum)}`);
  lines.push(`${name}_count${set} ${value.count}`);
}

/** An exponential histogram's own buckets, as classic ones: exact counts at the bounds it has. */
function toClassic(value: ExponentialHistogram): Histogram {
  const base = 2 ** (2 ** -value.scale);
  const entries: [bound: number, count: number][] = [];
  const { negative, positive } = value;
  for (let n = negative.bucketCounts.length - 1; n >= 0; n--) {
    entries.push([-(base ** (negative.offset + n)), negative.bucketCounts[n] ?? 0]);
  }
  if (value.zeroCount > 0) entries.push([0, value.zeroCount]);
  for (const [n, count] of positive.bucketCounts.entries()) entries.push([base ** (positive.offset + n + 1), count]);
  const usable = entries.filter(([bound], n) => Number.isFinite(bound) && bound !== entries[n - 1]?.[0]);
  return {
    buckets: { boundaries: usable.map(([bound]) => bound), counts: usable.map(([, count]) => count).concat(0) },
    count: value.count,
    ...(value.sum !== undefined && { sum: value.sum }),
  };
}

/** `{a="1",b="2"}`, sorted; attributes whose names become one label are joined by `;`. Empty for none. */
function labels(attributes: Attributes): string {
  const merged = new Map<string, string[]>();
  for (const key of Object.keys(attributes).sort()) {
    const value = attributes[key];
    if (value === undefined || value === null) continue;
    const name = labelName(key);
    const values = merged.get(name) ?? [];
    values.push(formatValue(value));
    merged.set(name, values);
  }
  if (merged.size === 0) return "";
  return `{${[...merged].map(([name, values]) => `${name}="${escapeLabel(values.join(";"))}"`).join(",")}}`;
}

function formatValue(value: AttributeValue): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
