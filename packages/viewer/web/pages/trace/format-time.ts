import { formatMs } from "../../format.js";

/** A time on the axis, as exact as the step between its ticks asks for. */
export function formatTick(ms: number, stepMs: number): string {
  if (ms === 0) return "0";
  const [unit, inUnit] =
    stepMs < 0.001
      ? (["ns", 1e6] as const)
      : stepMs < 0.5
        ? (["µs", 1e3] as const)
        : stepMs < 500
          ? (["ms", 1] as const)
          : (["s", 1e-3] as const);
  const digits = Math.min(3, Math.max(0, -Math.floor(Math.log10(stepMs * inUnit) + 1e-9)));
  return `${(ms * inUnit).toFixed(digits).replace("-", "−")} ${unit}`;
}

/** `+12.3 ms`, `−4 µs`, `±0`. */
export function formatDifference(ms: number): string {
  if (ms === 0) return "±0";
  return ms > 0 ? `+${formatMs(ms)}` : `−${formatMs(-ms)}`;
}
