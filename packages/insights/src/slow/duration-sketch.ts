/** Four buckets to a doubling, from 1/4 ms to 4 min: a quantile is at most 25 % too high, and never too low. */
const PER_DOUBLING = 4;
const SIZE = 20 * PER_DOUBLING;
const FIRST_US = 256;
const FIRST_EXPONENT = 8;
const MAX_US = 2 ** 28 - 1;
/** Beyond it a bucket holds half of what it says; all are halved together. */
const MAX_COUNT = 0xffff;

/**
 * Durations as counts in 80 logarithmic buckets, 160 bytes. Two sketches add up bucket by bucket, so those of several processes give the
 * quantiles of all.
 */
export class DurationSketch {
  count = 0;
  private readonly buckets = new Uint16Array(SIZE);

  /** Adds a duration in ms; 2 ns. */
  add(ms: number): void {
    const bucket = bucketOf(ms);
    const now = (this.buckets[bucket] ?? 0) + 1;
    if (now > MAX_COUNT) {
      this.halve();
      this.add(ms);
      return;
    }
    this.buckets[bucket] = now;
    this.count++;
  }

  /** Adds another sketch. */
  merge(other: DurationSketch): void {
    for (let n = 0; n < SIZE; n++) {
      while ((this.buckets[n] ?? 0) + (other.buckets[n] ?? 0) > MAX_COUNT) this.halve();
      this.buckets[n] = (this.buckets[n] ?? 0) + (other.buckets[n] ?? 0);
    }
    this.recount();
  }

  /** Halves the weight of what was added so far. */
  halve(): void {
    for (let n = 0; n < SIZE; n++) this.buckets[n] = (this.buckets[n] ?? 0) >>> 1;
    this.recount();
  }

  clear(): void {
    this.buckets.fill(0);
    this.count = 0;
  }

  /** What a share of the durations does not exceed, in ms: the upper bound of its bucket. 0 without any. */
  quantile(share: number): number {
    let left = Math.ceil(this.count * share);
    if (left <= 0) return 0;
    for (let n = 0; n < SIZE; n++) {
      left -= this.buckets[n] ?? 0;
      if (left <= 0) return upperMs(n);
    }
    return upperMs(SIZE - 1);
  }

  private recount(): void {
    this.count = 0;
    for (let n = 0; n < SIZE; n++) this.count += this.buckets[n] ?? 0;
  }
}

/** By the highest bit of the microseconds and the two below it. */
function bucketOf(ms: number): number {
  const us = ms * 1000;
  // NaN too.
  if (!(us >= FIRST_US)) return 0;
  const whole = us >= MAX_US ? MAX_US : us | 0;
  const exponent = 31 - Math.clz32(whole);
  return (exponent - FIRST_EXPONENT) * PER_DOUBLING + ((whole >>> (exponent - 2)) & 3);
}

function upperMs(bucket: number): number {
  const exponent = FIRST_EXPONENT + Math.floor(bucket / PER_DOUBLING);
  return (2 ** exponent * (1 + ((bucket % PER_DOUBLING) + 1) / PER_DOUBLING)) / 1000;
}
