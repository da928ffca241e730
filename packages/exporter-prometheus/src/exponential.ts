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
