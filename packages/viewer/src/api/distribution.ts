import type { Increase } from "./increases.js";

/** How many values lie below which bounds, gathered from histograms, whatever their bounds. */
export class Distribution {
  count = 0;
  max = Number.NEGATIVE_INFINITY;
  private min = Number.POSITIVE_INFINITY;
  private readonly counts = new Map<number, number>();

  /** A part of what came: from 0 to 1. */
  add({ buckets, count, min, max }: Increase, part = 1): void {
    if (count <= 0) return;
    this.count += count * part;
    // Of a cumulative histogram these are of all time, and so only limits.
    if (min !== null) this.min = Math.min(this.min, min);
    if (max !== null) this.max = Math.max(this.max, max);
    if (buckets === null) return;
    for (const [index, inBucket] of buckets.counts.entries()) {
      if (inBucket === 0) continue;
      const bound = buckets.bounds[index] ?? Number.POSITIVE_INFINITY;
      this.counts.set(bound, (this.counts.get(bound) ?? 0) + inBucket * part);
      const below = buckets.bounds[index - 1];
      if (below !== undefined) this.counts.set(below, this.counts.get(below) ?? 0);
    }
  }

  /** As if values lay evenly in their bucket; null where there are none, or no buckets. */
  quantile(part: number): number | null {
    const bounds = [...this.counts].sort(([a], [b]) => a - b);
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
    const bounds = [...this.counts].filter(([, count]) => count > 0).map(([bound]) => bound);
    if (bounds.length === 0) return this.max === Number.NEGATIVE_INFINITY ? null : this.max;
    const bound = Math.max(...bounds);
    if (this.max === Number.NEGATIVE_INFINITY) return Number.isFinite(bound) ? bound : this.lastFinite();
    return Math.min(this.max, bound);
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
    const finite = [...this.counts.keys()].filter(Number.isFinite);
    return finite.length === 0 ? null : Math.max(...finite);
  }
}
