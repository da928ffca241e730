import { percentile } from "./histogram.js";
import { bad, dim, warn } from "./terminal.js";
import { formatCount, formatSeconds } from "./units.js";

/**
 * A percentile, coloured from where people notice it. Within the first bucket there is nothing to interpolate from but zero:
 * its bound is all that is known.
 */
export function formatPercentile(histogram, share) {
  const seconds = percentile(histogram, share);
  const [first] = histogram.buckets;
  if (first !== undefined && seconds <= first.le) return `< ${formatCount(first.le * 1000)} ms`;
  const text = formatSeconds(seconds);
  if (seconds >= 0.25) return bad(text);
  return seconds >= 0.1 ? warn(text) : text;
}

/** A count that should be zero. */
export function formatErrors(count = 0, colour) {
  return count === 0 ? dim("·") : colour(formatCount(count));
}
