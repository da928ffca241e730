/** The least value that so much of all is not above, of numbers in order; 0 of none. */
export function nearestRank(sorted: Float64Array, part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
}

/** Numbers as SQL's `group_concat` has joined them: a hundred times as quick as a row for each. */
export function splitNumbers(joined: string): number[] {
  return joined.split(",").map(Number);
}
