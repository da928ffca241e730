import type { Buckets } from "../store/buckets.js";
import type { Increase } from "./increases.js";
import { at } from "./at.js";

/** How many values lie below which bounds, gathered from histograms, whatever their bounds. */
export class Distribution {
  count = 0;
  max = Number.NEGATIVE_INFINITY;
  private min = Number.POSITIVE_INFINITY;
  private bounds: readonly number[] = [];
  /** By the bounds, and one more. */
  private sums: number[] = [];
  /** What came with other bounds. */
  private readonly others = new Map<number, number>();

  /** A part of what came: from 0 to 1. */
  add({ buckets, count, min, max }: Increase, part = 1): void {
    if (count <= 0) return;
    this.count += count * part;
    // Of a cumulative histogram these are of all time, and so only limits.
    if (min !== null) this.min = Math.min(this.min, min);
    if (max !== null) this.max = Math.max(this.max, max);
    if (buckets === null) return;
    const { bounds, counts } = buckets;
    if (this.sums.length === 0) {
      this.bounds = bounds;
      this.sums = counts.map(() => 0);
    }
    // Most are of one metric, and have the same bounds: a map for each count takes five times as long.
    if (!isSame(this.bounds, bounds)) this.mix(buckets, part);
    else
      for (let index = 0; index < counts.length; index++)
        this.sums[index] = at(this.sums, index) + at(counts, index) * part;
  }

  /** As if values lay evenly in their bucket; null where there are none, or no buckets. */
  quantile(part: number): number | null {
    const bounds = this.countsByBound();
    const total = bounds.reduce((sum, [, count]) => sum + count, 0);
    if (total <= 0) return null;
    let left = part * total;
    let below: number | undefined;
    for (const [bound, count] of bounds) {
      if (count > 0 && left <= count * (1 + 1e-9)) return this.within(below, bound, left / count);
      left -= count;
      below = bound;
    }
    return below ?? null;
  }

  /** The highest that there can be. */
  highest(): number | null {
    const bounds = this.countsByBound()
      .filter(([, count]) => count > 0)
      .map(([bound]) => bound);
    if (bounds.length === 0) return this.max === Number.NEGATIVE_INFINITY ? null : this.max;
    const bound = Math.max(...bounds);
    if (this.max === Number.NEGATIVE_INFINITY) return Number.isFinite(bound) ? bound : this.lastFinite();
    return Math.min(this.max, bound);
  }

  private mix({ bounds, counts }: Buckets, part: number): void {
    for (const [index, count] of counts.entries()) {
      if (count === 0) continue;
      const bound = bounds[index] ?? Number.POSITIVE_INFINITY;
      this.others.set(bound, (this.others.get(bound) ?? 0) + count * part);
      const below = bounds[index - 1];
      if (below !== undefined) this.others.set(below, this.others.get(below) ?? 0);
    }
  }

  /** In order. */
  private countsByBound(): (readonly [bound: number, count: number])[] {
    const all = new Map(this.others);
    for (const [index, count] of this.sums.entries()) {
      const bound = this.bounds[index] ?? Number.POSITIVE_INFINITY;
      all.set(bound, (all.get(bound) ?? 0) + count);
    }
    return [...all].sort(([a], [b]) => a - b);
  }

  private within(below: number | undefined, bound: number, part: number): number {
    const from = Math.max(
      below ?? Math.min(0, bound),
      this.min === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : this.min,
    );
    const highest =
      this.max === Number.NEGATIVE_INFINITY ? (Number.isFinite(bound) ? bound : from) : Math.min(bound, this.max);
    return highest <= from ? Math.min(from, bound) : from + (highest - from) * Math.min(1, part);
  }

  private lastFinite(): number | null {
    const finite = this.countsByBound()
      .map(([bound]) => bound)
      .filter(Number.isFinite);
    return finite.length === 0 ? null : Math.max(...finite);
  }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
