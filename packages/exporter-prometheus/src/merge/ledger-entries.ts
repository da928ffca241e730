import type { HrTime } from "@opentelemetry/api";
import type { Exemplar } from "../exemplars.js";
import { bucketOf } from "./exemplars.js";
import type { GaugeRule } from "./gauge-rules.js";
import { type MergedSeries, Part } from "./merged-series.js";
import { ReportBuilder } from "./report-builder.js";
import type { MetricHead, ReportFrame } from "./report.js";
import type { WordReader } from "./words.js";

/** A metric of all sources. */
export class MergedMetric {
  readonly head: MetricHead;
  readonly rule: GaugeRule;
  readonly series = new Map<string, MergedSeries>();

  constructor(head: MetricHead, rule: GaugeRule) {
    this.head = head;
    this.rule = rule;
  }

  /** Whether what was counted stays when its process ends. */
  get isTotal(): boolean {
    return this.head.kind !== "gauge" && this.head.kind !== "updowncounter";
  }
}

/** What one source says of one series, and where that belongs. */
export class Entry {
  readonly metric: MergedMetric;
  readonly series: MergedSeries;
  readonly part: Part;

  constructor(metric: MergedMetric, series: MergedSeries, part: Part) {
    this.metric = metric;
    this.series = series;
    this.part = part;
  }

  /** Takes its numbers from a report. */
  read(words: WordReader): void {
    const { part } = this;
    const { kind, bounds = [] } = this.metric.head;
    part.value = words.next();
    part.rest = words.next();
    if (kind === "histogram") this.readBuckets(words, bounds);
    if (kind !== "histogram" && kind !== "counter") return;
    for (let left = words.next(); left > 0; left--) {
      const exemplar = words.nextExemplar();
      (part.exemplars ??= [])[bucketOf(exemplar.value, bounds)] = exemplar;
    }
  }

  private readBuckets(words: WordReader, bounds: readonly number[]): void {
    const { part } = this;
    for (let left = words.next(); left > 0; left--) {
      const bucket = words.next();
      const held = words.next();
      if (bucket > bounds.length) throw new Error(`a histogram with a bucket ${bucket}`);
      while (part.counts.length < bucket) part.counts.push(0);
      part.counts[bucket] = held;
    }
  }
}

/** One process, or one thread of it, and all that it said in one conversation. */
export class Source {
  readonly id: string;
  readonly member: string;
  readonly slot: number;
  /** It counts once its first report is complete. */
  isComplete = false;
  isLiving = true;
  goneMs = 0;
  readonly metrics: MergedMetric[] = [];
  /** By the numbers that stand for its series. */
  readonly entries: (Entry | undefined)[] = [];

  constructor(id: string, member: string, slot: number) {
    this.id = id;
    this.member = member;
    this.slot = slot;
  }

  enter(metric: MergedMetric, series: MergedSeries, startTime: HrTime): Entry {
    series.entries++;
    const entry = new Entry(metric, series, new Part(this, startTime));
    if (this.isComplete) series.parts.push(entry.part);
    return entry;
  }

  /** All that it said, as a report from scratch. */
  *dump(): Generator<ReportFrame> {
    const builder = new ReportBuilder();
    // The numbers that it gave its metrics itself must hold for what it says next.
    for (const [id, metric] of this.metrics.entries()) builder.newMetric({ ...metric.head, id });
    for (const [id, entry] of this.entries.entries()) {
      if (entry === undefined) continue;
      const { metric, series, part } = entry;
      builder.newSeries([id, this.metrics.indexOf(metric), series.attributes, part.startTime]);
      if (metric.head.kind === "histogram")
        builder.histogram(id, part.value, part.rest, part.counts, [], present(part.exemplars));
      else if (part.exponential !== undefined) builder.exponential(id, part.value, part.rest, part.exponential);
      else if (metric.head.kind === "counter") builder.counter(id, part.value, part.rest, present(part.exemplars));
      else builder.number(id, part.value, part.rest);
      if (builder.isFull) yield builder.take();
    }
    if (!builder.isEmpty) yield builder.take();
  }
}

function present(exemplars: readonly (Exemplar | undefined)[] = []): Exemplar[] {
  return exemplars.filter((one) => one !== undefined);
}
