import { parsePrometheusText } from "shop/demo/report/prometheus-text.js";

/** Series of a /metrics page per metric, most first; the series of one histogram count as one metric's. */
export function countSeries(page) {
  const histograms = new Set([...page.matchAll(/^# TYPE (\S+) histogram$/gm)].map(([, name]) => name));
  const counts = new Map();
  for (const { name } of parsePrometheusText(page)) {
    const base = name.replace(/_(bucket|sum|count|created)$/, "");
    const metric = histograms.has(base) ? base : name;
    counts.set(metric, (counts.get(metric) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** What one process of the given figures makes of a number of requests per second, and many of them together. */
export function project(figures, { processes, requestsPerSecond, scrapeSeconds }) {
  const spansPerSecond = processes * requestsPerSecond * figures.spansPerRequest;
  return {
    series: processes * figures.series,
    samplesPerSecond: (processes * figures.series) / scrapeSeconds,
    pageBytesPerSecond: (processes * figures.pageBytesGzip) / scrapeSeconds,
    spansPerSecond,
    otlpBytesPerSecond: spansPerSecond * figures.spanBytesGzip,
    otlpBytesPerDay: spansPerSecond * figures.spanBytes * 86_400,
  };
}
