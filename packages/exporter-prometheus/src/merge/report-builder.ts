import type { ExponentialHistogram } from "@opentelemetry/sdk-metrics";
import type { Exemplar } from "../exemplars.js";
import type { MetricHead, ReportFrame, SeriesHead } from "./report.js";
import { WordWriter } from "./words.js";

/** Numbers, and new series, after which a frame goes: about 64 kB, a third of a millisecond for whoever reads it. */
const MAX_WORDS = 8_000;
const MAX_HEADS = 250;

/** A frame of a report in the making. */
export class ReportBuilder {
  private readonly words = new WordWriter();
  private metrics: MetricHead[] = [];
  private series: SeriesHead[] = [];
  private exponentials: [number, ExponentialHistogram][] = [];

  get isFull(): boolean {
    return this.words.length > MAX_WORDS || this.series.length >= MAX_HEADS || this.exponentials.length >= MAX_HEADS;
  }

  get isEmpty(): boolean {
    const { words, metrics, series, exponentials } = this;
    return words.length + metrics.length + series.length + exponentials.length === 0;
  }

  take(): ReportFrame {
    const report = { metrics: this.metrics, series: this.series, exponential: this.exponentials };
    this.metrics = [];
    this.series = [];
    this.exponentials = [];
    return { report, words: this.words.take() };
  }

  newMetric(head: MetricHead): void {
    this.metrics.push(head);
  }

  newSeries(head: SeriesHead): void {
    this.series.push(head);
  }

  /** `rest` is what rounding took from the value, where it is known. */
  number(id: number, value: number, rest = 0): void {
    this.words.reserve(3);
    this.words.push(id);
    this.words.push(value);
    this.words.push(rest);
  }

  counter(id: number, value: number, rest: number, exemplars: readonly Exemplar[]): void {
    this.number(id, value, rest);
    this.exemplars(exemplars);
  }

  /** The buckets that are not as they were before. */
  histogram(
    id: number,
    sum: number,
    rest: number,
    counts: readonly number[],
    before: readonly number[],
    exemplars: readonly Exemplar[],
  ): void {
    const { words } = this;
    words.reserve(5 + 2 * counts.length);
    words.push(id);
    words.push(sum);
    words.push(rest);
    const changed = words.hole();
    for (let bucket = 0; bucket < counts.length; bucket++) {
      const held = counts[bucket] as number;
      if (held === (before[bucket] ?? 0)) continue;
      words.push(bucket);
      words.push(held);
      words.fill(changed, words.at(changed) + 1);
    }
    this.exemplars(exemplars);
  }

  exponential(id: number, sum: number, rest: number, value: ExponentialHistogram): void {
    this.number(id, sum, rest);
    this.exponentials.push([id, value]);
  }

  private exemplars(exemplars: readonly Exemplar[]): void {
    this.words.reserve(1);
    this.words.push(exemplars.length);
    for (const one of exemplars) this.words.pushExemplar(one);
  }

  retired(id: number): void {
    this.words.reserve(1);
    this.words.push(-1 - id);
  }
}
