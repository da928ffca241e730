import type { Attributes, AttributeValue } from "@opentelemetry/api";
import { DataPointType, type Histogram, type MetricData, type ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { type Slices, upstream } from "@telltale/core";
import type { DropReason, Page } from "./families.js";
import type { PageLimit } from "./page-limit.js";
import { formatNumber, PageWriter } from "./page-writer.js";

export interface UpstreamOptions {
  labelsScope(scope: Scope): boolean;
  /** On every series, as attributes. */
  readonly constant: Attributes;
  readonly limit: PageLimit;
  dropped(reason: DropReason, metric: string, text: string): void;
}

type Scope = ScopeMetrics["scope"];

interface UpstreamFamily {
  readonly name: string;
  readonly type: string;
  help: string;
  unit: string;
  conflicts: boolean;
  readonly metrics: { readonly metric: MetricData; readonly scope: Scope }[];
}

/**
 * The page that `@opentelemetry/exporter-prometheus` 0.301 makes of the same metrics, byte for byte, its mistakes included: labels
 * may come twice or begin with a digit, NaN in an attribute is `null`, exponential histograms have a head and no series.
 */
export async function* formatUpstream(page: Page, options: UpstreamOptions, slices: Slices): AsyncGenerator<Buffer> {
  const { limit } = options;
  const writer = new PageWriter();
  const write = (text: string): void => {
    writer.reserve(3 * text.length);
    writer.text(text);
  };
  const families = collectFamilies(page, options);
  const target = families.get(TARGET);
  let isEmpty = true;
  if (target !== undefined && !target.conflicts) {
    write(headOf(target) + lineOf(TARGET, labelsOf(page.resource.attributes), 1));
  }
  for (const family of families.values()) {
    if (family.conflicts) continue;
    let needsHead = family !== target;
    let left = family.metrics.reduce((points, { metric }) => points + metric.dataPoints.length, 0);
    const series = left;
    for (const { metric, scope } of family.metrics) {
      if (writer.size >= limit.bytes) break;
      const shown = metric.dataPointType !== DataPointType.EXPONENTIAL_HISTOGRAM;
      const { dataPoints } = metric;
      if (!shown) options.dropped("type", metric.descriptor.name, `${metric.descriptor.name} is exponential`);
      if (needsHead) write(headOf(family));
      if (needsHead || (shown && dataPoints.length > 0)) isEmpty = needsHead = false;
      const labels = new SeriesLabels(scopeLabels(scope, options));
      for (const point of metric.dataPoints) {
        if (slices.over) {
          yield* writer.take(false);
          await slices.rest();
        }
        if (writer.size >= limit.bytes) break;
        if (shown) write(linesOf(family.name, point.attributes, point.value as number | Histogram, labels));
        left--;
      }
    }
    if (left > 0) limit.cut({ name: family.name, series: { size: series } }, left);
  }
  if (isEmpty) write("# no registered metrics");
  yield* writer.take(true);
}

const TARGET = "target_info";

function collectFamilies({ scopeMetrics }: Page, { dropped }: UpstreamOptions): Map<string, UpstreamFamily> {
  const target = { name: TARGET, type: "gauge", help: "Target metadata", unit: "", conflicts: false, metrics: [] };
  const families = new Map<string, UpstreamFamily>([[TARGET, target]]);
  for (const { scope, metrics } of scopeMetrics) {
    for (const metric of metrics) {
      const { name: own, unit, description } = metric.descriptor;
      const type = typeOf(metric);
      const name = upstream.metric({
        name: own,
        unit,
        type: type === "counter" ? "counter" : "gauge",
        isRatio: false,
      });
      if (name === undefined) {
        dropped("name", own, `${JSON.stringify(own)} has no letter that Prometheus takes`);
        continue;
      }
      const family = families.get(name);
      if (family === undefined) {
        families.set(name, { name, type, help: description, unit, conflicts: false, metrics: [{ metric, scope }] });
        continue;
      }
      if (family.type !== type) {
        family.conflicts = true;
        dropped("type", own, `${own}: there is already another metric ${name}, of another type`);
      }
      family.help ||= description;
      family.unit ||= unit;
      family.metrics.push({ metric, scope });
    }
  }
  return families;
}

function typeOf(metric: MetricData): string {
  switch (metric.dataPointType) {
    case DataPointType.SUM:
      return metric.isMonotonic ? "counter" : "gauge";
    case DataPointType.GAUGE:
      return "gauge";
    case DataPointType.HISTOGRAM:
      return "histogram";
    default:
      return "untyped";
  }
}

function headOf({ name, type, help, unit }: UpstreamFamily): string {
  const unitLine = unit === "" ? "" : `# UNIT ${name} ${escapeText(unit)}\n`;
  return `# HELP ${name} ${escapeText(help || "description missing")}\n${unitLine}# TYPE ${name} ${type}\n`;
}

function scopeLabels(scope: Scope, { labelsScope, constant }: UpstreamOptions): Attributes {
  if (!labelsScope(scope)) return constant;
  const { name, schemaUrl, version } = scope;
  return {
    "otel.scope.name": name,
    ...(schemaUrl && { "otel.scope.schema_url": schemaUrl }),
    ...(version && { "otel.scope.version": version }),
    ...constant,
  };
}

/** What all series of a metric have in common. A bucket's `le` comes last, unless there is an attribute of that name: in its place. */
class SeriesLabels {
  readonly all: string;
  readonly beforeBound: string;
  readonly afterBound: string;

  constructor(attributes: Attributes) {
    const entries = Object.entries(attributes);
    const at = entries.findIndex(([key]) => key === "le");
    this.all = writeLabels(entries);
    this.beforeBound = writeLabels(at === -1 ? entries : entries.slice(0, at));
    this.afterBound = at === -1 ? "" : writeLabels(entries.slice(at + 1));
  }
}

function linesOf(name: string, attributes: Attributes, value: number | Histogram, labels: SeriesLabels): string {
  const own = labelsOf(attributes);
  const all = join(own, labels.all);
  if (typeof value === "number") return lineOf(name, all, value);
  let lines = lineOf(`${name}_count`, all, value.count);
  // A sum may be missing, or null from a foreign producer.
  if (value.sum !== undefined && value.sum !== null) lines += lineOf(`${name}_sum`, all, value.sum);
  const before = join(own, labels.beforeBound);
  const { boundaries, counts } = value.buckets;
  let below = 0;
  let hasInfinite = false;
  for (const [n, held] of counts.entries()) {
    const bound = boundaries[n];
    below += held;
    if (bound === undefined && hasInfinite) break;
    if (bound === Infinity) hasInfinite = true;
    const le = `le="${bound === undefined || bound === Infinity ? "+Inf" : String(bound)}"`;
    lines += lineOf(`${name}_bucket`, join(join(before, le), labels.afterBound), below);
  }
  return lines;
}

function lineOf(name: string, labels: string, value: number): string {
  return `${labels === "" ? name : `${name}{${labels}}`} ${formatNumber(value)}\n`;
}

function labelsOf(attributes: Attributes): string {
  return writeLabels(Object.entries(attributes));
}

function writeLabels(entries: readonly [string, AttributeValue | undefined][]): string {
  return entries.map(([key, value]) => `${upstream.label(key)}="${escapeValue(value)}"`).join(",");
}

function join(first: string, second: string): string {
  if (second === "") return first;
  return first === "" ? second : `${first},${second}`;
}

function escapeValue(value: AttributeValue | undefined = ""): string {
  return escapeText(typeof value === "string" ? value : JSON.stringify(value)).replaceAll('"', '\\"');
}

function escapeText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
