import type { ExponentialHistogram, Histogram } from "@opentelemetry/sdk-metrics";

type Buckets = ExponentialHistogram["positive"];

/**
 * An exponential histogram with bounds at powers of two, which are bounds at every scale up to 0 and up: the text format has no
 * other way, and bounds that follow the scale would begin new series each time it changes. Counts are exact.
 */
export function toFixedBuckets({ scale, positive, negative, zeroCount, count, sum }: ExponentialHistogram): Histogram {
  const above = byPowerOfTwo(positive, scale);
  const below = byPowerOfTwo(negative, scale);
  const step = 2 ** Math.max(0, -scale);
  const boundaries: number[] = [];
  const counts: number[] = [];
  // Bucket n holds (2^n, 2^(n + step)]; below zero the same with the sign changed.
  for (const [n, held] of [...below].reverse()) push(-(2 ** n), held);
  if (zeroCount > 0 || below.size > 0) push(0, zeroCount);
  for (const [n, held] of above) push(2 ** (n + step), held);
  counts.push(0);
  return { buckets: { boundaries, counts }, count, ...(sum !== undefined && below.size === 0 && { sum }) };

  function push(bound: number, held: number): void {
    boundaries.push(bound);
    counts.push(held);
  }
}

/** Counts by the exponent of their lower bound, ascending, with the empty ones in between. */
function byPowerOfTwo({ offset, bucketCounts }: Buckets, scale: number): Map<number, number> {
  const result = new Map<number, number>();
  for (const [n, held] of bucketCounts.entries()) {
    const exponent = Math.floor((offset + n) * 2 ** -scale);
    // Above 2^1023 a bound is infinite, and the last bucket has them.
    if (exponent < 1023 && (held > 0 || result.size > 0)) result.set(exponent, (result.get(exponent) ?? 0) + held);
  }
  return result;
}

/** The same histogram at a lower scale: each step of it joins two buckets. */
export function downscale(histogram: ExponentialHistogram, scale: number): ExponentialHistogram {
  const steps = histogram.scale - scale;
  if (steps <= 0) return histogram;
  const positive = joinBuckets(histogram.positive, steps);
  return { ...histogram, scale, positive, negative: joinBuckets(histogram.negative, steps) };
}

function joinBuckets({ offset, bucketCounts }: Buckets, steps: number): Buckets {
  // The shift rounds down, below zero too.
  const first = offset >> steps;
  const joined: number[] = [];
  for (const [n, held] of bucketCounts.entries()) {
    const at = ((offset + n) >> steps) - first;
    joined[at] = (joined[at] ?? 0) + held;
  }
  return { offset: first, bucketCounts: joined };
}

/** The SDK's own default for what a histogram may have on either side of zero. */
const MAX_BUCKETS = 160;

/** Two exponential histograms as one, at the highest scale that both have and at which their buckets are few enough. */
export function addExponential(first: ExponentialHistogram, second: ExponentialHistogram): ExponentialHistogram {
  let scale = Math.min(first.scale, second.scale);
  while (
    span(first.positive, second.positive, first.scale - scale, second.scale - scale) > MAX_BUCKETS ||
    span(first.negative, second.negative, first.scale - scale, second.scale - scale) > MAX_BUCKETS
  ) {
    scale--;
  }
  const a = downscale(first, scale);
  const b = downscale(second, scale);
  const sum = a.sum === undefined || b.sum === undefined ? undefined : a.sum + b.sum;
  return {
    scale,
    positive: addBuckets(a.positive, b.positive),
    negative: addBuckets(a.negative, b.negative),
    zeroCount: a.zeroCount + b.zeroCount,
    count: a.count + b.count,
    ...(sum !== undefined && { sum }),
  };
}

/** How many buckets two sides have together, each after so many steps. */
function span(a: Buckets, b: Buckets, stepsOfA: number, stepsOfB: number): number {
  if (a.bucketCounts.length === 0 || b.bucketCounts.length === 0) return 0;
  const first = Math.min(a.offset >> stepsOfA, b.offset >> stepsOfB);
  const lastOfA = (a.offset + a.bucketCounts.length - 1) >> stepsOfA;
  const lastOfB = (b.offset + b.bucketCounts.length - 1) >> stepsOfB;
  return Math.max(lastOfA, lastOfB) - first + 1;
}

function addBuckets(a: Buckets, b: Buckets): Buckets {
  if (a.bucketCounts.length === 0) return b;
  if (b.bucketCounts.length === 0) return a;
  const offset = Math.min(a.offset, b.offset);
  const end = Math.max(a.offset + a.bucketCounts.length, b.offset + b.bucketCounts.length);
  const bucketCounts = Array.from({ length: end - offset }, (_, n) => {
    const index = offset + n;
    return (a.bucketCounts[index - a.offset] ?? 0) + (b.bucketCounts[index - b.offset] ?? 0);
  });
  return { offset, bucketCounts };
}
