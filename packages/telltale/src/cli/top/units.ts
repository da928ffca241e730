/** Durations as people say them, at most six characters up to an hour. */
export function formatMs(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return "–";
  if (ms < 0.95) return `${ms.toFixed(2)}ms`;
  if (ms < 9.95) return `${ms.toFixed(1)}ms`;
  if (ms < 999.5) return `${ms.toFixed(0)}ms`;
  if (ms < 99_950) return `${(ms / 1_000).toFixed(1)}s`;
  return `${(ms / 60_000).toFixed(0)}min`;
}

export function formatNumber(number: number | null): string {
  if (number === null || !Number.isFinite(number)) return "–";
  if (number >= 9_999_500) return `${(number / 1_000_000).toFixed(0)}M`;
  if (number >= 99_950) return `${(number / 1_000).toFixed(0)}k`;
  return Number.isInteger(number) || number >= 99.5 ? number.toFixed(0) : number.toFixed(1);
}

/** Of a share from 0 to 1. */
export function formatPercent(share: number | null): string {
  if (share === null || !Number.isFinite(share)) return "–";
  const percent = share * 100;
  // Neither none nor all, where it is neither.
  if (percent > 0 && percent < 0.1) return "<0.1%";
  if (percent > 99.9 && percent < 100) return ">99.9%";
  return `${percent === 0 || percent === 100 || percent >= 99.95 ? percent.toFixed(0) : percent.toFixed(1)}%`;
}

export function formatAgo(ms: number): string {
  const seconds = Math.max(0, ms / 1_000);
  if (seconds < 90) return `${seconds.toFixed(0)}s`;
  if (seconds < 5_400) return `${(seconds / 60).toFixed(0)}min`;
  return seconds < 129_600 ? `${(seconds / 3_600).toFixed(0)}h` : `${(seconds / 86_400).toFixed(0)}d`;
}

const BARS = "▁▂▃▄▅▆▇█";

/** The last numbers as bars, the largest full; blank where there is none. */
export function sparkline(values: readonly (number | null)[], width: number): string {
  const last = values.slice(-width);
  const most = Math.max(...last.map((value) => value ?? 0));
  const bars = last.map((value) => {
    if (value === null) return " ";
    return BARS[most > 0 ? Math.round((value / most) * (BARS.length - 1)) : 0];
  });
  return bars.join("").padStart(width);
}

/** The last that is known. */
export function lastOf(values: readonly (number | null)[]): number | null {
  return values.findLast((value) => value !== null) ?? null;
}
