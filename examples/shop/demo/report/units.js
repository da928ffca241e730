const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function formatCount(value) {
  return whole.format(value);
}

/** Three digits that matter, in the unit that suits: `0.42 ms`, `3.1 ms`, `142 ms`, `1.24 s`. */
export function formatSeconds(seconds) {
  if (Number.isNaN(seconds)) return "–";
  const ms = seconds * 1000;
  if (ms === 0) return "0 ms";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
}

export function formatPercent(share) {
  return Number.isNaN(share) ? "–" : `${(share * 100).toFixed(1)} %`;
}

export function formatRate(perSecond) {
  return perSecond < 9.95 ? perSecond.toFixed(1) : whole.format(perSecond);
}
