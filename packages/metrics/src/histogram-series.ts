import type { Attributes, HrTime } from "@opentelemetry/api";
import type { DataPoint, Histogram } from "@opentelemetry/sdk-metrics";
import type { Operation } from "@telltale/core";
import { type Exemplar, Exemplars } from "./exemplars.js";
import type { Reading } from "./reading.js";
import { toHrTime } from "./time.js";

/** A point of a histogram as readers get it: the SDK's own, with one property more, which the SDK's exporters pass over. */
export interface HistogramDataPoint extends DataPoint<Histogram> {
  /** At most one for each bucket, by rising value: a bucket's is the one that is above the bound before and not above its own. */
  readonly exemplars: readonly Exemplar[];
}

const NO_EXEMPLARS: readonly Exemplar[] = [];

/** One series of a histogram with fixed buckets. */
export class HistogramSeries {
  readonly attributes: Attributes;
  readonly startTime: HrTime = toHrTime(Date.now());
  /** Upper bounds, inclusive, ascending; the same array for all series of a metric. */
  private readonly bounds: number[];
  /** One more than bounds: the last counts what is above all of them. */
  private readonly counts: number[];
  private sum = 0;
  /** Of what came since anybody read. */
  private newMin = Infinity;
  private newMax = -Infinity;
  private min = Infinity;
  private max = -Infinity;
  private exemplars: Exemplars | undefined = undefined;
  /** What each reader of deltas saw last. */
  private seen: (Seen | undefined)[] | undefined = undefined;

  constructor(attributes: Attributes, bounds: number[]) {
    this.attributes = attributes;
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  /** Records how long an operation took, and offers it as an exemplar where it has a span. */
  time(operation: Operation): void {
    const value = (operation.endMs - operation.startMs) / 1000;
    const bucket = this.record(value);
    const { span } = operation;
    if (span === undefined || bucket < 0) return;
    (this.exemplars ??= new Exemplars(this.counts.length)).offer(bucket, value, operation, span);
  }

  /** Returns the bucket of the value; what is no duration (NaN, negative, infinite) would spoil the sum for ever and is left out (-1). */
  record(value: number): number {
    if (!(value >= 0 && value < Infinity)) return -1;
    const { bounds, counts } = this;
    let bucket = 0;
    // Linear: 14 bounds at most, and most values fall into the first few.
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    counts[bucket] = (counts[bucket] as number) + 1;
    this.sum += value;
    if (value < this.newMin) this.newMin = value;
    if (value > this.newMax) this.newMax = value;
    return bucket;
  }

  /** Everything since the start; undefined for nothing. */
  total({ now }: Reading): HistogramDataPoint | undefined {
    this.spread();
    const counts = this.counts.slice();
    const count = addUp(counts);
    if (count === 0) return undefined;
    const value = new HistogramValue(this.bounds, counts, count, this.sum, this.min, this.max);
    return new HistogramPoint(this.attributes, this.startTime, now, value, this.exemplars?.list(0));
  }

  /** What came since the reader read; undefined for nothing. */
  added({ reader, now, before = this.startTime, beforeMs }: Reading): HistogramDataPoint | undefined {
    this.spread();
    this.seen ??= [];
    const seen = this.seen[reader];
    const { counts, sum } = this;
    const added = seen === undefined ? counts.slice() : counts.map((held, n) => held - (seen.counts[n] ?? 0));
    const count = addUp(added);
    if (count === 0) return undefined;
    this.seen[reader] = new Seen(counts.slice(), sum);
    const min = seen === undefined ? this.min : seen.min;
    const max = seen === undefined ? this.max : seen.max;
    const value = new HistogramValue(this.bounds, added, count, sum - (seen?.sum ?? 0), min, max);
    return new HistogramPoint(this.attributes, before, now, value, this.exemplars?.list(beforeMs));
  }

  /** Tells all readers of the least and the greatest since one of them read, so that recording has one pair to care for. */
  private spread(): void {
    const { newMin, newMax } = this;
    if (newMin > newMax) return;
    this.min = Math.min(this.min, newMin);
    this.max = Math.max(this.max, newMax);
    for (const seen of this.seen ?? []) {
      if (seen === undefined) continue;
      seen.min = Math.min(seen.min, newMin);
      seen.max = Math.max(seen.max, newMax);
    }
    this.newMin = Infinity;
    this.newMax = -Infinity;
  }
}

/** What a reader saw, and the least and the greatest that came since. */
class Seen {
  readonly counts: readonly number[];
  readonly sum: number;
  min = Infinity;
  max = -Infinity;

  constructor(counts: readonly number[], sum: number) {
    this.counts = counts;
    this.sum = sum;
  }
}

function addUp(counts: readonly number[]): number {
  let count = 0;
  for (const held of counts) count += held;
  return count;
}

class Buckets {
  readonly boundaries: number[];
  readonly counts: number[];

  constructor(boundaries: number[], counts: number[]) {
    this.boundaries = boundaries;
    this.counts = counts;
  }
}

class HistogramValue implements Histogram {
  readonly buckets: Buckets;
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;

  constructor(boundaries: number[], counts: number[], count: number, sum: number, min: number, max: number) {
    this.buckets = new Buckets(boundaries, counts);
    this.count = count;
    this.sum = sum;
    this.min = min;
    this.max = max;
  }
}

class HistogramPoint implements HistogramDataPoint {
  readonly attributes: Attributes;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly value: Histogram;
  readonly exemplars: readonly Exemplar[];

  constructor(
    attributes: Attributes,
    startTime: HrTime,
    endTime: HrTime,
    value: Histogram,
    exemplars: readonly Exemplar[] = NO_EXEMPLARS,
  ) {
    this.attributes = attributes;
    this.startTime = startTime;
    this.endTime = endTime;
    this.value = value;
    this.exemplars = exemplars;
  }
}
