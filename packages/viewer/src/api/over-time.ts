import { emptySteps, type TimeWindow } from "./time-window.js";
import type { Increase } from "./increases.js";
import type { Point } from "./series.js";

/** A gauge that says nothing for longer has stopped; most SDKs tell of them once a minute. */
const HELD_MS = 90_000;

/** What part of an increase fell into which step, as if it had come evenly: `part` of the whole, in `seconds`. */
function divide(
  { fromUs, toUs }: Increase,
  window: TimeWindow,
  visit: (step: number, part: number, seconds: number) => void,
): void {
  const { stepMs, count } = window;
  const from = fromUs / 1000 - window.fromMs;
  const to = toUs / 1000 - window.fromMs;
  if (to <= from) {
    const step = Math.floor(to / stepMs);
    if (step >= 0 && step < count) visit(step, 1, stepMs / 1000);
    return;
  }
  const last = Math.min(count - 1, Math.ceil(to / stepMs) - 1);
  for (let step = Math.max(0, Math.floor(from / stepMs)); step <= last; step++) {
    const ms = Math.min(to, (step + 1) * stepMs) - Math.max(from, step * stepMs);
    if (ms > 0) visit(step, ms / (to - from), ms / 1000);
  }
}

/** Per second, of one series; null where it tells of no time in the step. */
export function ratesOf(
  increases: readonly Increase[],
  window: TimeWindow,
  amountOf: (increase: Increase) => number,
): (number | null)[] {
  const amounts = emptySteps(window);
  const seconds = new Float64Array(window.count);
  for (const increase of increases) {
    divide(increase, window, (step, part, covered) => {
      amounts[step] = (amounts[step] ?? 0) + part * amountOf(increase);
      seconds[step] = (seconds[step] ?? 0) + covered;
    });
  }
  return amounts.map((amount, step) => (amount === null ? null : amount / (seconds[step] ?? 1)));
}

/** What came in the window: of what began before it, the part that is in it. */
export function totalOf(
  increases: readonly Increase[],
  { fromMs, toMs }: TimeWindow,
  amountOf: (increase: Increase) => number,
): number {
  let total = 0;
  for (const increase of increases) total += amountOf(increase) * partIn(increase, fromMs, toMs);
  return total;
}

export function partIn({ fromUs, toUs }: Increase, fromMs: number, toMs: number): number {
  const [from, to] = [fromUs / 1000, toUs / 1000];
  if (from >= fromMs && to <= toMs) return 1;
  return to > from ? Math.max(0, Math.min(to, toMs) - Math.max(from, fromMs)) / (to - from) : 0;
}

/** `part` of each increase falls into `step`. */
export function eachPart(
  increases: readonly Increase[],
  window: TimeWindow,
  visit: (increase: Increase, step: number, part: number) => void,
): void {
  for (const increase of increases) divide(increase, window, (step, part) => visit(increase, step, part));
}

/**
 * What a gauge, or a sum that goes up and down, said last before each step ended, or with `isPeak` the most that it said in the step; null
 * once that is too long ago.
 */
export function levelsOf(
  points: readonly Point[],
  window: TimeWindow,
  isDelta = false,
  isPeak = false,
): (number | null)[] {
  const { fromMs, toMs, stepMs } = window;
  const levels = emptySteps(window);
  let next = 0;
  let level = 0;
  let sinceMs = Number.NEGATIVE_INFINITY;
  for (const step of levels.keys()) {
    const endMs = Math.min(toMs, fromMs + (step + 1) * stepMs);
    let peak = Number.NEGATIVE_INFINITY;
    for (let point = points[next]; point !== undefined && point.us / 1000 <= endMs; point = points[++next]) {
      level = isDelta ? level + point.value : point.value;
      sinceMs = point.us / 1000;
      if (sinceMs >= fromMs + step * stepMs) peak = Math.max(peak, level);
    }
    if (endMs - sinceMs <= Math.max(HELD_MS, stepMs)) levels[step] = isPeak ? Math.max(peak, level) : level;
  }
  return levels;
}

/** Added up step by step; null where none has a value. */
export function addUp(all: readonly (readonly (number | null)[])[], window: TimeWindow): (number | null)[] {
  return emptySteps(window).map((_, step) => {
    let sum: number | null = null;
    for (const values of all) {
      const value = values[step] ?? null;
      if (value !== null) sum = (sum ?? 0) + value;
    }
    return sum;
  });
}

/** The mean of those that have a value. */
export function average(all: readonly (readonly (number | null)[])[], window: TimeWindow): (number | null)[] {
  return addUp(all, window).map((sum, step) => {
    const count = all.filter((values) => (values[step] ?? null) !== null).length;
    return sum === null ? null : sum / count;
  });
}

export function scale(values: readonly (number | null)[], factor: number): (number | null)[] {
  return values.map((value) => (value === null ? null : value * factor));
}

/** The last that is known. */
export function lastOf(values: readonly (number | null)[]): number | null {
  return values.findLast((value) => value !== null) ?? null;
}
