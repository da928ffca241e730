import { performance } from "node:perf_hooks";

/** How far the system's clock may run away from the monotonic one (by slewing, or a suspended machine) before it is followed. */
const MAX_DRIFT_MS = 50;
const CHECK_EVERY_MS = 10_000;

let originMs = performance.timeOrigin;
let checkedMs = 0;

/**
 * What to add to `performance.now()` for milliseconds since the epoch. One origin for all spans, so that spans that began one after
 * the other stay in that order; the SDK's own conversion corrects each span by `Date.now()`, which moves them by up to 1 ms.
 */
export function epochOriginMs(nowMs: number = performance.now()): number {
  if (nowMs - checkedMs > CHECK_EVERY_MS) {
    checkedMs = nowMs;
    const now = Date.now() - nowMs;
    if (Math.abs(now - originMs) > MAX_DRIFT_MS) originMs = now;
  }
  return originMs;
}

/** `performance.now()` as milliseconds since the epoch. */
export function toEpochMs(ms: number): number {
  return epochOriginMs() + ms;
}
