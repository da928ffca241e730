/** Microseconds since the epoch; what no clock can have meant ends where JavaScript's whole numbers do, in 2255. */
export function microsOf(nanos: bigint): number {
  return Math.min(Number(nanos / 1_000n), Number.MAX_SAFE_INTEGER);
}

/** Nanoseconds, never below 0. */
export function durationOf(start: bigint, end: bigint): number {
  return end <= start ? 0 : Math.min(Number(end - start), Number.MAX_SAFE_INTEGER);
}

export function nowMicros(): number {
  return Date.now() * 1_000;
}
