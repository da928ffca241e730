/** `0.42 ms`, `13.4 ms`, `2.31 s` */
export function describeMs(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(2)} s`;
  return `${ms < 1 ? ms.toFixed(2) : ms.toFixed(1)} ms`;
}

export function describeMoment(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : "?";
}

export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
