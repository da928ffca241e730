import type { ExponentialBuckets, ExponentialHistogramPoint, HistogramPoint } from "@telltale/otlp";

/** One count more than bounds; the n-th counts what is above the bound before it, up to its own. */
export interface Buckets {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

/** Of each sign; SDKs have 160. */
const MAX_BUCKETS = 160;
const MAX_EXPLICIT = 1_000;

/** Undefined where they cannot be right. */
export function explicitBuckets({
  explicitBounds: bounds = [],
  bucketCounts: counts = [],
}: HistogramPoint): Buckets | undefined {
  if (counts.length === 0 || counts.length !== bounds.length + 1 || counts.length > MAX_EXPLICIT) return undefined;
  if (bounds.some((bound, i) => !(bound > (bounds[i - 1] ?? -Infinity)) || bound === Infinity)) return undefined;
  return counts.every(isCount) ? { bounds, counts } : undefined;
}

export function isCount(count: number): boolean {
  return Number.isSafeInteger(count) && count >= 0;
}

/**
 * The same with its bounds written out (https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram): from the lowest
 * negative values through 0 to the highest.
 */
export function exponentialBuckets(point: ExponentialHistogramPoint): Buckets | undefined {
  const { scale = 0, zeroCount = 0, zeroThreshold = 0 } = point;
  const negative = spread(point.negative, scale);
  const positive = spread(point.positive, scale);
  if (negative === undefined || positive === undefined || !isCount(zeroCount)) return undefined;
  const bounds: number[] = [];
  const counts: number[] = [];
  // Up to the bound; a bucket without width has its count in the next.
  let carried = 0;
  const add = (count: number, bound: number) => {
    carried += count;
    if (!Number.isFinite(bound) || bound <= (bounds.at(-1) ?? -Infinity)) return;
    bounds.push(bound);
    counts.push(carried);
    carried = 0;
  };
  const zero = Number.isFinite(zeroThreshold) && zeroThreshold > 0 ? zeroThreshold : 0;
  if (negative.length > 0) add(0, -(negative.at(-1)?.upper ?? 0));
  for (const { count, lower } of negative.toReversed()) add(count, Math.min(-lower, -zero));
  if (zeroCount > 0 || negative.length > 0) add(zeroCount, zero);
  const lowest = positive[0];
  if (lowest !== undefined) add(0, lowest.lower);
  for (const { count, upper } of positive) add(count, upper);
  return { bounds, counts: [...counts, carried] };
}

interface Bucket {
  readonly lower: number;
  readonly upper: number;
  count: number;
}

/** With their bounds, by size; where there are too many, two and two become one, as often as needed. */
function spread({ offset = 0, bucketCounts = [] }: ExponentialBuckets = {}, scale: number): Bucket[] | undefined {
  if (!bucketCounts.every(isCount)) return undefined;
  const first = bucketCounts.findIndex((count) => count > 0);
  if (first === -1) return [];
  const last = bucketCounts.findLastIndex((count) => count > 0);
  let halvings = 0;
  while (indexOf(offset + last, halvings) - indexOf(offset + first, halvings) >= MAX_BUCKETS) halvings += 1;
  const base = (index: number) => 2 ** (index * 2 ** (halvings - scale));
  const from = indexOf(offset + first, halvings);
  const buckets: Bucket[] = [];
  for (let at = first; at <= last; at += 1) {
    const index = indexOf(offset + at, halvings);
    const bucket = (buckets[index - from] ??= { lower: base(index), upper: base(index + 1), count: 0 });
    bucket.count += bucketCounts[at] ?? 0;
  }
  return buckets;
}

function indexOf(index: number, halvings: number): number {
  return Math.floor(index / 2 ** halvings);
}
