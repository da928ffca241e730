import type { Attributes, HrTime } from "@opentelemetry/api";
import type { DataPoint, ExponentialHistogram, Histogram } from "@opentelemetry/sdk-metrics";
import type { Exemplar } from "../exemplars.js";
import { addExponential } from "../exponential.js";
import { newerOf } from "./exemplars.js";
import { ExactSum } from "./exact-sum.js";
import { combineGauges, type GaugeRule, WORKER_ATTRIBUTE } from "./gauge-rules.js";
import type { MetricHead } from "./report.js";

/** Who says it. */
interface Speaker {
  /** False once it is gone: then its totals count and its gauges do not. */
  readonly isLiving: boolean;
  /** Its small number, for gauges that are kept apart. */
  readonly slot: number;
}

/** What one source says of one series. */
export class Part {
  readonly source: Speaker;
  startTime: HrTime;
  /** Of a histogram its sum; NaN where it has none. */
  value = 0;
  /** What rounding took from it, see `ExactSum`. */
  rest = 0;
  counts: number[] = [];
  /** By bucket. */
  exemplars: (Exemplar | undefined)[] | undefined = undefined;
  exponential: ExponentialHistogram | undefined = undefined;

  constructor(source: Speaker, startTime: HrTime) {
    this.source = source;
    this.startTime = startTime;
  }

  /** Adds what another counted. */
  add(other: Part): void {
    this.startTime = earliest([this, other]);
    this.exponential = joinExponentials(this.exponential, other.exponential);
    const sum = new ExactSum();
    sum.add(this.value, this.rest);
    sum.add(other.value, other.rest);
    this.value = sum.value;
    this.rest = sum.rest;
    for (const [bucket, held] of other.counts.entries()) this.counts[bucket] = (this.counts[bucket] ?? 0) + held;
    if (other.exemplars !== undefined) this.exemplars = newest(this.exemplars ?? [], other.exemplars);
  }
}

type AnyPoint = DataPoint<number | Histogram | ExponentialHistogram>;

/** One series of all sources. */
export class MergedSeries {
  /** The text of its attributes. */
  readonly key: string;
  readonly attributes: Attributes;
  readonly parts: Part[] = [];
  /** Sources that know it, those among them whose part does not count yet. */
  entries = 0;
  /** Made anew only where a part has changed. */
  private points: readonly AnyPoint[] | undefined = undefined;
  /** Attributes with the worker's number, by number: the same objects from page to page. */
  private readonly ofWorkers: Attributes[] = [];

  constructor(key: string, attributes: Attributes) {
    this.key = key;
    this.attributes = attributes;
  }

  changed(): void {
    this.points = undefined;
  }

  read({ kind, bounds }: MetricHead, rule: GaugeRule, now: HrTime): readonly AnyPoint[] {
    if (this.points !== undefined) return this.points;
    const { parts } = this;
    // Gone with its process: gauges, and what up-down counters counted up and nobody will count down.
    const used = kind === "gauge" || kind === "updowncounter" ? parts.filter(({ source }) => source.isLiving) : parts;
    if (used.length === 0) return (this.points = []);
    if (rule === "each" && kind === "gauge") return (this.points = used.map((part) => this.pointOfWorker(part, now)));
    const point = new MergedPoint(this.attributes, earliest(used), now, undefined);
    if (kind === "histogram") addHistograms(point, used, bounds as number[]);
    else if (kind === "exponential") point.value = addExponentials(used);
    else if (kind === "counter") addCounters(point, used);
    else if (kind === "updowncounter") point.value = addUp(used);
    else
      point.value = combineGauges(
        rule,
        used.map(({ value }) => value),
      );
    return (this.points = [point as AnyPoint]);
  }

  private pointOfWorker({ source: { slot }, startTime, value }: Part, now: HrTime): AnyPoint {
    const attributes = (this.ofWorkers[slot] ??= { [WORKER_ATTRIBUTE]: slot, ...this.attributes });
    return new MergedPoint(attributes, startTime, now, value) as AnyPoint;
  }
}

class MergedPoint {
  readonly attributes: Attributes;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  value: number | Histogram | ExponentialHistogram | undefined;
  exemplars: readonly Exemplar[] | undefined = undefined;

  constructor(attributes: Attributes, startTime: HrTime, endTime: HrTime, value: MergedPoint["value"]) {
    this.attributes = attributes;
    this.startTime = startTime;
    this.endTime = endTime;
    this.value = value;
  }
}

function addUp(parts: readonly Part[]): number {
  const sum = new ExactSum();
  for (const { value, rest } of parts) sum.add(value, rest);
  return sum.total;
}

function addCounters(point: MergedPoint, parts: readonly Part[]): void {
  point.value = addUp(parts);
  const [exemplar] = newestOf(parts);
  if (exemplar !== undefined) point.exemplars = [exemplar];
}

function addHistograms(point: MergedPoint, parts: readonly Part[], boundaries: number[]): void {
  const counts = Array.from({ length: boundaries.length + 1 }, () => 0);
  let count = 0;
  for (const part of parts) {
    for (let bucket = 0; bucket < part.counts.length; bucket++) {
      const held = part.counts[bucket] as number;
      counts[bucket] = (counts[bucket] as number) + held;
      count += held;
    }
  }
  const sum = addUp(parts);
  point.value = { buckets: { boundaries, counts }, count, ...(!Number.isNaN(sum) && { sum }) };
  point.exemplars = newestOf(parts).filter((one) => one !== undefined);
}

type ByBucket = (Exemplar | undefined)[];

/** The newest of all; of a counter there is one bucket. */
function newestOf(parts: readonly Part[]): ByBucket {
  const exemplars: ByBucket = [];
  for (const part of parts) if (part.exemplars !== undefined) newest(exemplars, part.exemplars);
  return exemplars;
}

/** Puts into the first, where it is newer, what the second has. */
function newest(exemplars: ByBucket, others: ByBucket): ByBucket {
  for (const [bucket, one] of others.entries()) exemplars[bucket] = newerOf(exemplars[bucket], one);
  return exemplars;
}

function addExponentials(parts: readonly Part[]): ExponentialHistogram | undefined {
  let all: ExponentialHistogram | undefined;
  for (const { exponential } of parts) all = joinExponentials(all, exponential);
  if (all === undefined) return undefined;
  const { scale, positive, negative, zeroCount, count } = all;
  const sum = addUp(parts);
  return { scale, positive, negative, zeroCount, count, ...(!Number.isNaN(sum) && { sum }) };
}

function joinExponentials(
  one: ExponentialHistogram | undefined,
  other: ExponentialHistogram | undefined,
): ExponentialHistogram | undefined {
  return one === undefined || other === undefined ? (one ?? other) : addExponential(one, other);
}

function earliest(parts: readonly Part[]): HrTime {
  let first = (parts[0] as Part).startTime;
  for (const { startTime } of parts) {
    if (startTime[0] < first[0] || (startTime[0] === first[0] && startTime[1] < first[1])) first = startTime;
  }
  return first;
}
