import type { Buckets } from "../store/buckets.js";
import type { Point, Series } from "./series.js";

/** What a counter or a histogram counted between two times. */
export interface Increase {
  readonly fromUs: number;
  /** The same as `fromUs` where nobody said since when. */
  readonly toUs: number;
  /** Of a histogram, what the values add up to. */
  readonly value: number;
  readonly count: number;
  readonly buckets: Buckets | null;
  readonly min: number | null;
  readonly max: number | null;
}

/**
 * What was counted from one point to the next. A counter that begins anew (its process has begun anew) has counted all that it says since
 * then; of one that was never seen before and does not say when it began, nobody knows what of it is new.
 */
export function increasesOf(points: readonly Point[], { isDelta }: Pick<Series, "isDelta">): Increase[] {
  const increases: Increase[] = [];
  let before: Point | undefined;
  for (const point of points) {
    const isFirst = before === undefined;
    const isNew = isDelta || before === undefined || hasBegunAnew(before, point);
    if (isNew && (!isFirst || point.startUs > 0 || isDelta)) {
      const sinceUs = Math.max(point.startUs, before?.us ?? 0) || point.us;
      increases.push(increaseOf(Math.min(sinceUs, point.us), point, undefined));
    } else if (before !== undefined) {
      increases.push(increaseOf(before.us, point, before));
    }
    before = point;
  }
  return increases;
}

function hasBegunAnew(before: Point, point: Point): boolean {
  if (point.startUs >= before.us && point.startUs !== before.startUs) return true;
  // A histogram's sum may fall without that: of negative values.
  return point.count === null ? point.value < before.value : point.count < (before.count ?? 0);
}

function increaseOf(fromUs: number, point: Point, before: Point | undefined): Increase {
  const { us: toUs, value, count, buckets, min, max } = point;
  return {
    fromUs,
    toUs,
    value: value - (before?.value ?? 0),
    count: (count ?? 0) - (before?.count ?? 0),
    buckets: buckets === null ? null : subtract(buckets, before?.buckets ?? null),
    min,
    max,
  };
}

/** Exponential histograms widen their buckets as they go: what was counted before then lies in the one around it. */
function subtract({ bounds, counts }: Buckets, before: Buckets | null): Buckets {
  if (before === null) return { bounds, counts };
  const left = [...counts];
  let index = 0;
  for (const [place, count] of before.counts.entries()) {
    const bound = before.bounds[place] ?? Number.POSITIVE_INFINITY;
    while (index < bounds.length && (bounds[index] ?? 0) < bound) index++;
    left[index] = Math.max(0, (left[index] ?? 0) - count);
  }
  return { bounds, counts: left };
}
