import { DurationSketch } from "./duration-sketch.js";

/** Calls until a baseline says anything, and from one look at it to the next. */
const WARM_UP = 100;
/** Calls of this many times the usual are slow … */
const FACTOR = 3;
/** … but never those below, in ms. */
const FLOOR_MS = 20;
/** "Usual" is what 95 % of the calls keep. */
const SHARE = 0.95;
/** A hundred calls whose 95 % is so many times what it was at its best are a regression: nothing is learned from them. */
const MAX_DRIFT = 1.5;
/** So that the past of last month weighs less than that of today. */
const HALVE_AT = 10_000;

/**
 * How long calls of one shape usually take, learned from the calls themselves: a hundred at a time, and only while they are no slower than
 * the best hundred so far. So a regression never becomes the usual, neither at once nor step by step.
 */
export class Baseline {
  /** What 95 % of the calls keep, in ms; 0 during the warm-up. */
  usualMs = 0;
  /** What half of the calls keep, in ms; 0 during the warm-up. */
  medianMs = 0;
  /** From here on a call is slow, in ms; Infinity during the warm-up. */
  limitMs = Number.POSITIVE_INFINITY;
  /** True while calls are slower than usual, and so not learned from. */
  isFrozen = false;
  private bestMs = Number.POSITIVE_INFINITY;
  private readonly past = new DurationSketch();
  private readonly recent = new DurationSketch();

  /** Learns from a call. */
  add(ms: number): void {
    this.recent.add(ms);
    if (this.recent.count >= WARM_UP) this.lookBack();
  }

  private lookBack(): void {
    const nowMs = this.recent.quantile(SHARE);
    this.isFrozen = nowMs > this.bestMs * MAX_DRIFT && nowMs > FLOOR_MS / FACTOR;
    if (!this.isFrozen) {
      // Far better than before: the start was slow, or somebody has repaired something. It counts from now on.
      if (nowMs * MAX_DRIFT < this.bestMs) this.past.clear();
      this.past.merge(this.recent);
      if (this.past.count > HALVE_AT) this.past.halve();
      this.bestMs = Math.min(this.bestMs, nowMs);
      this.medianMs = this.past.quantile(0.5);
      this.usualMs = this.past.quantile(SHARE);
      this.limitMs = Math.max(FLOOR_MS, FACTOR * this.usualMs);
    }
    this.recent.clear();
  }
}
