import type { Steps } from "./answers.js";

/** As many as a sparkline has room for. */
const STEPS = 60;

/** The last minutes, divided into steps that begin at multiples of their length: what is drawn of them moves on and does not flicker. */
export interface TimeWindow {
  readonly fromMs: number;
  /** Now, in the last step. */
  readonly toMs: number;
  readonly stepMs: number;
  readonly count: number;
}

export function windowOf(nowMs: number, minutes: number): TimeWindow {
  const stepMs = (minutes * 60_000) / STEPS;
  const fromMs = (Math.floor(nowMs / stepMs) - STEPS + 1) * stepMs;
  return { fromMs, toMs: nowMs, stepMs, count: STEPS };
}

export function stepsOf({ fromMs, stepMs }: TimeWindow, values: readonly (number | null)[]): Steps {
  return { fromMs, stepMs, values };
}

export function emptySteps({ count }: TimeWindow): (number | null)[] {
  return Array.from({ length: count }, () => null);
}

/** How much of a step has been, in s; undefined while that is too little to tell a rate of. */
export function secondsOf({ fromMs, toMs, stepMs, count }: TimeWindow, step: number): number | undefined {
  if (step < count - 1) return stepMs / 1000;
  const passedMs = toMs - fromMs - step * stepMs;
  return passedMs < stepMs / 4 ? undefined : passedMs / 1000;
}

/** As SQL's parameters, in whole microseconds. */
export function boundsOf({ fromMs, toMs }: TimeWindow): { readonly from: number; readonly to: number } {
  return { from: Math.ceil(fromMs * 1000), to: Math.floor(toMs * 1000) };
}

/** The step that a time is in, in µs. */
export function stepOf({ fromMs, stepMs, count }: TimeWindow, us: number): number {
  return Math.min(count - 1, Math.max(0, Math.floor((us / 1000 - fromMs) / stepMs)));
}
