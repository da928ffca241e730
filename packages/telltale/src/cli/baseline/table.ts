import type { Comparison, Regression } from "./compare.js";
import type { Baseline } from "./measure.js";

/** A baseline for a person to read, who is told now, and not after the release, of what will not be judged. */
export function describeBaseline({ routes, queries, caches, seconds }: Baseline, minRequests: number): string {
  const rows = Object.entries(routes).map(
    ([route, { requests, perSecond, errorRatio, p50Ms, p95Ms, p99Ms, queriesPerRequest }]) => [
      route,
      String(requests),
      perSecond.toFixed(1),
      percent(errorRatio),
      ms(p50Ms),
      ms(p95Ms),
      ms(p99Ms),
      queriesPerRequest.toFixed(1),
    ],
  );
  const heads = ["route", "requests", "per s", "errors", "p50", "p95", "p99", "queries each"];
  const hits = Object.entries(caches).map(([cache, { lookups, hitRatio }]) => [
    cache,
    String(lookups),
    percent(hitRatio),
  ]);
  const few = [
    ...Object.keys(routes).filter((route) => (routes[route]?.requests ?? 0) < minRequests),
    ...Object.keys(caches).filter((cache) => (caches[cache]?.lookups ?? 0) < minRequests),
  ];
  return [
    `${Math.round(seconds)} s, ${Object.keys(queries).length} query shapes`,
    toTable(heads, rows),
    ...(hits.length > 0 ? [toTable(["cache", "lookups", "hits"], hits)] : []),
    ...(few.length > 0 ? [`Too little traffic to judge (under ${minRequests}): ${few.join(", ")}`] : []),
  ].join("\n\n");
}

/** What became worse, for a person to read. */
export function describeComparison({ regressions, judged, tooLittle }: Comparison): string {
  const few = tooLittle.length > 0 ? `\nToo little traffic to judge: ${tooLittle.join(", ")}` : "";
  if (regressions.length === 0) return `No regression in ${judged} ${judged === 1 ? "route" : "routes"}.${few}`;
  const rows = regressions.map((one) => [WORDS[one.kind], one.where, ...figuresOf(one)]);
  const count = regressions.length === 1 ? "1 regression" : `${regressions.length} regressions`;
  return `${count}:\n\n${toTable(["what", "where", "figure", "before", "now", "limit"], rows)}${few}`;
}

const WORDS: Readonly<Record<Regression["kind"], string>> = {
  latency: "slower",
  throughput: "fewer requests",
  errors: "more errors",
  queries: "more queries",
  new_query: "new query",
  hit_ratio: "fewer hits",
  cache_unused: "cache not asked",
};

function figuresOf({ figure, before, now, limit }: Regression): string[] {
  const format = figure.endsWith("Ms") ? ms : figure.endsWith("Ratio") ? percent : plain;
  return [FIGURES[figure] ?? figure, format(before), format(now), format(limit)];
}

const FIGURES: Readonly<Record<string, string>> = {
  p95Ms: "p95",
  p99Ms: "p99",
  perSecond: "requests per s",
  errorRatio: "errors",
  queriesPerRequest: "queries per request",
  calls: "calls",
  hitRatio: "hits",
  lookups: "lookups",
};

function ms(value: number): string {
  return value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function plain(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

/** Words to the left, figures to the right. */
function toTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, n) => Math.max(...all.map((row) => (row[n] ?? "").length)));
  const isWord = heads.map((_, n) => rows.every((row) => !/^\d/.test(row[n] ?? "")));
  return all
    .map((row) =>
      row
        .map((cell, n) => (isWord[n] ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join("\n");
}
