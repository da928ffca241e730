import type { HrTime } from "@opentelemetry/api";

/** Milliseconds since the epoch as the SDK writes them. */
export function toHrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.floor((ms % 1000) * 1e6)];
}
