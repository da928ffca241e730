import { performance } from "node:perf_hooks";
import { AggregationTemporality, DataPointType, type MetricData, type ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { count, type Slices } from "@telltale/core";
import type { Page } from "../families.js";
import { type GaugeRule, gaugeRule } from "./gauge-rules.js";
import { type Entry, MergedMetric, Source } from "./ledger-entries.js";
import { MergedSeries } from "./merged-series.js";
import { seriesKey } from "./report-encoder.js";
import type { LedgerEntry, MetricHead, Report, SeriesHead } from "./report.js";
import { WordReader } from "./words.js";

/** Who is gone so long does not come back: a process that lives is back in seconds. */
const RETURNS_MS = 60_000;
/** So many may be back: as many as there may be processes. Each takes memory as if it lived. */
const MAX_GONE = 1_000;
/** Of all metrics together; what comes after is counted and left out. */
const MAX_SERIES = 100_000;
/** What was counted by those who will not be back. */
const THE_DEAD = "the dead";

/** What all processes counted, by process, so that whoever ends leaves its totals and takes its gauges along. */
export class Ledger {
  private readonly rules: Readonly<Record<string, GaugeRule>>;
  private readonly metrics = new Map<string, MergedMetric>();
  private readonly sources = new Map<string, Source>();
  /** Those whose first report is not complete. */
  private readonly joining = new Map<string, Source>();
  private size = 0;

  /** The user's own rules for gauges, by metric. */
  constructor(rules: Readonly<Record<string, GaugeRule>> = {}) {
    this.rules = rules;
  }

  apply(entry: LedgerEntry, words: Float64Array): void {
    switch (entry.op) {
      case "clear":
        this.metrics.clear();
        this.sources.clear();
        this.joining.clear();
        this.size = 0;
        return;
      case "join":
        this.forget(this.joining, entry.source);
        this.joining.set(entry.source, new Source(entry.source, entry.member, entry.slot));
        return;
      case "report": {
        const source = this.joining.get(entry.source) ?? this.sources.get(entry.source);
        if (source !== undefined) this.report(source, entry.report, words);
        return;
      }
      case "complete":
        return this.complete(entry.source);
      case "gone":
        return this.leave(entry.source);
      case "fold":
        return this.fold(entry.source);
    }
  }

  /** Another process kept it until now: whoever lives will report again. */
  allGone(): void {
    for (const id of [...this.joining.keys(), ...this.sources.keys()]) this.leave(id);
  }

  /** Those who have been gone for so long, or before so many others, that they will not be back. */
  overdue(): string[] {
    const sinceMs = performance.now() - RETURNS_MS;
    const gone = [...this.sources.values()].filter(({ isLiving, id }) => !isLiving && id !== THE_DEAD);
    gone.sort((a, b) => b.goneMs - a.goneMs);
    return gone.filter(({ goneMs }, n) => goneMs < sinceMs || n >= MAX_GONE).map(({ id }) => id);
  }

  /** A number for a member that joins: its own, if it was here before, else the least that no living one has. */
  slotFor(member: string): number {
    const all = [...this.sources.values(), ...this.joining.values()];
    const taken = new Set(all.filter((one) => one.member !== member && one.isLiving).map(({ slot }) => slot));
    const own = all.find((one) => one.member === member)?.slot;
    if (own !== undefined && !taken.has(own)) return own;
    let slot = 0;
    while (taken.has(slot)) slot++;
    return slot;
  }

  /** One page of all. */
  async page(resource: Page["resource"], slices: Slices): Promise<Page> {
    const nowMs = Date.now();
    const scopes = new Map<string, { scope: ScopeMetrics["scope"]; metrics: MetricData[] }>();
    for (const { head, rule, series } of this.livingFirst()) {
      const dataPoints: unknown[] = [];
      for (const one of series.values()) {
        if (slices.over) await slices.rest();
        dataPoints.push(...one.read(head, rule, [Math.floor(nowMs / 1000), (nowMs % 1000) * 1e6]));
      }
      if (dataPoints.length === 0) continue;
      const key = JSON.stringify(head.scope);
      const held = scopes.get(key) ?? { scope: head.scope, metrics: [] };
      scopes.set(key, held);
      held.metrics.push(toMetricData(head, dataPoints));
    }
    return { resource, scopeMetrics: [...scopes.values()] };
  }

  /** Of what cannot be one family, a histogram with other bounds say, the first is shown: a new version of the app would never be. */
  private livingFirst(): readonly MergedMetric[] {
    const living = new Set<MergedMetric>();
    for (const { isLiving, metrics } of this.sources.values()) {
      if (isLiving) for (const metric of metrics) living.add(metric);
    }
    return [...this.metrics.values()].sort((a, b) => Number(living.has(b)) - Number(living.has(a)));
  }

  /**
   * All of it, as entries that make the same ledger of another one; those of one source at a time, between which other entries may
   * be applied to both. The dead come last: they inherit meanwhile.
   */
  *dump(): Generator<readonly (readonly [entry: LedgerEntry, words?: Float64Array])[]> {
    yield [[{ op: "clear" }]];
    for (const one of [...this.sources.values(), ...this.joining.values()]) {
      const isCurrent = this.sources.get(one.id) === one || this.joining.get(one.id) === one;
      if (isCurrent && one.id !== THE_DEAD) yield dumpSource(one);
    }
    const dead = this.sources.get(THE_DEAD);
    if (dead !== undefined) yield dumpSource(dead);
  }

  private report(source: Source, { metrics, series, exponential }: Report, words: Float64Array): void {
    for (const head of metrics) source.metrics[head.id] = this.metricOf(head);
    for (const head of series) this.enter(source, head);
    const reader = new WordReader(words);
    while (!reader.isAtEnd) {
      const id = reader.next();
      const entry = source.entries[id < 0 ? -1 - id : id];
      if (entry === undefined) throw new Error(`a report of an unknown series ${id}`);
      if (id < 0) {
        source.entries[-1 - id] = undefined;
        this.retire(source, entry);
      } else {
        entry.read(reader);
        entry.series.changed();
      }
    }
    for (const [id, value] of exponential) {
      const entry = source.entries[id];
      if (entry === undefined) throw new Error(`a report of an unknown series ${id}`);
      entry.part.exponential = value;
      entry.series.changed();
    }
  }

  private metricOf(head: MetricHead): MergedMetric {
    const { scope, name, unit, kind, bounds } = head;
    const key = JSON.stringify([scope, name, unit, kind, bounds]);
    let metric = this.metrics.get(key);
    if (metric === undefined) this.metrics.set(key, (metric = new MergedMetric(head, gaugeRule(name, this.rules))));
    return metric;
  }

  private enter(source: Source, [id, metricId, attributes, startTime]: SeriesHead): void {
    const metric = source.metrics[metricId];
    if (metric === undefined) throw new Error(`a report of an unknown metric ${metricId}`);
    source.entries[id] = source.enter(metric, this.seriesOf(metric, attributes), startTime);
  }

  /** One that is too many is read like the others and shown to nobody. */
  private seriesOf(metric: MergedMetric, attributes: SeriesHead[2]): MergedSeries {
    const key = seriesKey(attributes);
    let series = metric.series.get(key);
    if (series === undefined) {
      series = new MergedSeries(key, attributes);
      if (this.size >= MAX_SERIES) {
        count("telltale.metrics.dropped", "telltale.reason", "merge");
      } else {
        this.size++;
        metric.series.set(key, series);
      }
    }
    return series;
  }

  /** What a member says now takes the place of what it said before, in one moment. */
  private complete(id: string): void {
    const source = this.joining.get(id);
    if (source === undefined) return;
    this.joining.delete(id);
    source.isComplete = true;
    for (const entry of source.entries) {
      if (entry === undefined) continue;
      entry.series.parts.push(entry.part);
      entry.series.changed();
    }
    for (const before of this.sources.values()) {
      if (before.member === source.member) this.forget(this.sources, before.id);
    }
    this.sources.set(id, source);
  }

  private leave(id: string): void {
    this.forget(this.joining, id);
    const source = this.sources.get(id);
    if (source === undefined || !source.isLiving) return;
    source.isLiving = false;
    source.goneMs = performance.now();
    for (const entry of source.entries) entry?.series.changed();
  }

  private fold(id: string): void {
    const source = this.sources.get(id);
    if (source === undefined) return;
    this.sources.delete(id);
    for (const entry of source.entries) if (entry !== undefined) this.retire(source, entry);
  }

  private forget(from: Map<string, Source>, id: string): void {
    const source = from.get(id);
    from.delete(id);
    for (const entry of source?.entries ?? []) if (entry !== undefined) this.takeOut(entry);
  }

  /** What was counted stays, with the dead; what was only so at a time does not. */
  private retire(source: Source, entry: Entry): void {
    if (source.isComplete && entry.metric.isTotal) this.inherit(entry);
    this.takeOut(entry);
  }

  private inherit(entry: Entry): void {
    const { metric, series, part } = entry;
    let dead = this.sources.get(THE_DEAD);
    if (dead === undefined) {
      dead = new Source(THE_DEAD, THE_DEAD, -1);
      dead.isComplete = true;
      dead.isLiving = false;
      this.sources.set(THE_DEAD, dead);
    }
    let inherited = series.parts.find((one) => one.source === dead);
    if (inherited === undefined) {
      if (!dead.metrics.includes(metric)) dead.metrics.push(metric);
      const heir = dead.enter(metric, series, part.startTime);
      dead.entries.push(heir);
      inherited = heir.part;
    }
    inherited.add(part);
  }

  private takeOut({ metric, series, part }: Entry): void {
    const at = series.parts.indexOf(part);
    if (at >= 0) series.parts.splice(at, 1);
    series.changed();
    if (--series.entries > 0 || metric.series.get(series.key) !== series) return;
    metric.series.delete(series.key);
    this.size--;
  }
}

function dumpSource(one: Source): (readonly [entry: LedgerEntry, words?: Float64Array])[] {
  const { id: source, member, slot, isComplete, isLiving } = one;
  const entries: (readonly [entry: LedgerEntry, words?: Float64Array])[] = [[{ op: "join", source, member, slot }]];
  for (const { report, words } of one.dump()) entries.push([{ op: "report", source, report }, words]);
  if (isComplete) entries.push([{ op: "complete", source }]);
  if (!isLiving) entries.push([{ op: "gone", source }]);
  return entries;
}

function toMetricData({ kind, name, description, unit, valueType }: MetricHead, dataPoints: unknown[]): MetricData {
  const descriptor = { name, description, unit, valueType };
  const base = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE, dataPoints };
  switch (kind) {
    case "gauge":
      return { ...base, dataPointType: DataPointType.GAUGE } as MetricData;
    case "histogram":
      return { ...base, dataPointType: DataPointType.HISTOGRAM } as MetricData;
    case "exponential":
      return { ...base, dataPointType: DataPointType.EXPONENTIAL_HISTOGRAM } as MetricData;
    default:
      return { ...base, dataPointType: DataPointType.SUM, isMonotonic: kind === "counter" } as MetricData;
  }
}
