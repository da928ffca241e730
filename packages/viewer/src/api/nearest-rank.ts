/** The least value that so much of all is not above, of numbers in order; 0 of none. */
export function nearestRank(sorted: Float64Array, part: number): number {
  // What is meant by 0.95 of 20 is 19, and not a little more.
  const rank = Math.ceil(Number((part * sorted.length).toPrecision(12)));
  return sorted[Math.max(0, rank - 1)] ?? 0;
}

export function sortNumbers(numbers: readonly number[]): Float64Array {
  return Float64Array.from(numbers).sort();
}
