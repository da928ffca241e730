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

/** What many processes of the given figures make together. Times are seconds, sizes bytes. */
export function project(figures, { processes, requestsPerSecond, scrapeSeconds }) {
  const spansPerSecond = processes * requestsPerSecond * figures.spansPerRequest;
  return {
    series: processes * figures.series,
    "samples/s": (processes * figures.series) / scrapeSeconds,
    "scraped MB/s": (processes * figures.pageBytesGzip) / scrapeSeconds / 1e6,
    "traces/s": processes * requestsPerSecond,
    "spans/s": spansPerSecond,
    "OTLP MB/s, gzip": (spansPerSecond * figures.spanBytesGzip) / 1e6,
    "OTLP MB/s": (spansPerSecond * figures.spanBytes) / 1e6,
  };
}
