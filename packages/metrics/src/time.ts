import { performance } from "node:perf_hooks";
import type { HrTime } from "@opentelemetry/api";

/** Milliseconds since the epoch as the SDK writes them. */
export function toHrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.floor((ms % 1000) * 1e6)];
}

/** Where what the process counts by itself begins. */
export const PROCESS_START: HrTime = toHrTime(performance.timeOrigin);
