import { bad, dim, warn } from "./terminal.js";
import { formatCount, formatSeconds } from "./units.js";

/** A duration, coloured from where people notice it. */
export function formatLatency(seconds) {
  const text = formatSeconds(seconds);
  if (seconds >= 0.25) return bad(text);
  return seconds >= 0.1 ? warn(text) : text;
}

/** A count that should be zero. */
export function formatErrors(count = 0, colour) {
  return count === 0 ? dim("·") : colour(formatCount(count));
}
