import type { EndpointResult, Results, SoakResult, StartupResult } from "./results.js";
import type { Spread } from "./statistics.js";
import { formatTable } from "./table.js";
import { BARE } from "./variants.js";

const ENDPOINTS = {
  item: "One cached read (GET /item/:id)",
  multi: "Five queries and an MGET (GET /multi/:id)",
} as const;
const STARTUP = "Start-up: process start to listening (RSS a second later), and what is added to the bare app's";

/** The results for people, as lines. */
export function writeReport(results: Results): string[] {
  const { load = {}, startup, soak, scrape } = results;
  const lines = [
    `Node ${results.node}, ${results.cores} cores (${results.cpu})` +
      (results.pinned ? ", the server alone on one of them" : ", nothing pinned: expect noise") +
      ". What the figures mean: bench/README.md",
  ];
  for (const endpoint of ["item", "multi"] as const) {
    const result = load[endpoint];
    if (result !== undefined) lines.push("", ENDPOINTS[endpoint], "", ...loadTable(result));
  }
  if (startup !== undefined) lines.push("", STARTUP, "", ...startupTable(startup));
  if (soak !== undefined) lines.push("", ...soakLines(soak));
  if (scrape !== undefined) {
    lines.push(
      "",
      `A page of ${scrape.series.toLocaleString("en")} series: ${range(scrape.ms, 1)} ms, ` +
        `at most ${range(scrape.stretchMs, 2)} ms at a stretch`,
    );
  }
  return lines;
}

function loadTable({ variants, rounds, requestsPerBlock }: EndpointResult): string[] {
  const rows = Object.entries(variants).map(([name, result]) => [
    name,
    result.cpuUs.median.toFixed(1),
    times(result.cpuRatio.median),
    result.cpuRatio.min === result.cpuRatio.max ? "" : between(result.cpuRatio),
    (result.allocatedBytes.median / 1024).toFixed(1),
    times(result.allocatedRatio.median),
    `${(result.gcShare * 100).toFixed(1)} %`,
    result.idleMsPerSecond.toFixed(1),
    result.spansPerRequest === 0 ? "" : result.spansPerRequest.toFixed(2),
    result.rssMb.toFixed(0),
    result.heapAfterGcMb.toFixed(1),
  ]);
  return [
    ...formatTable(
      ["", "CPU µs", "× bare", "min–max", "alloc KB", "× bare", "GC", "idle ms/s", "spans", "RSS MB", "heap MB"],
      sortByColumn(rows, 2),
    ),
    "",
    `Medians per request of ${rounds} blocks of ${requestsPerBlock.toLocaleString("en")} requests to each server; min–max is × bare, of its servers, each by itself.`,
    noiseLine(variants[BARE]?.cpuRatio),
  ];
}

function noiseLine(bare: Spread | undefined): string {
  if (bare === undefined || bare.min === bare.max) return "Noise: not known, as there is no second bare server.";
  return `Noise: the bare servers by themselves are at ${times(bare.min)} to ${times(bare.max)}; smaller differences mean nothing.`;
}

function startupTable(startup: Readonly<Record<string, StartupResult>>): string[] {
  const rows = Object.entries(startup).map(([name, result]) => [
    name,
    result.ms.median.toFixed(0),
    between(result.ms, 0),
    signed(result.addedMs),
    result.cpuMs.toFixed(0),
    signed(result.addedCpuMs),
    String(result.modules),
    result.rssMb.toFixed(0),
    signed(result.addedRssMb),
  ]);
  return formatTable(
    ["", "ms", "min–max", "added", "CPU ms", "added", "modules", "RSS MB", "added"],
    sortByColumn(rows, 5), // the steadiest
  );
}

function soakLines({ variant, requests, mbPer500k, rssMb, heapAfterGcMb, bare }: SoakResult): string[] {
  const heap = ({ warm, end }: typeof heapAfterGcMb): string => `${warm.toFixed(1)} to ${end.toFixed(1)} MB`;
  return [
    `${requests.toLocaleString("en")} requests to ${variant} and to the bare app each, after full collections, the warm-up left out:`,
    `RSS ${range(rssMb, 0)} MB, bare ${range(bare.rssMb, 0)} MB; heap ${heap(heapAfterGcMb)}, bare ${heap(bare.heapAfterGcMb)}`,
    `RSS grows by ${signed(mbPer500k, 2)} MB per 500,000 requests more than bare (${signed(bare.mbPer500k, 2)}): ` +
      (mbPer500k <= SOAK_LIMIT_MB ? "flat" : `it grows, ${SOAK_LIMIT_MB} is allowed`),
  ];
}

/** What RSS may grow by per 500,000 requests, beyond what the bare app's does. */
export const SOAK_LIMIT_MB = 1;

const times = (value: number): string => value.toFixed(2);
const signed = (value: number, digits = 0): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
const between = ({ min, max }: Spread, digits = 2): string => `${min.toFixed(digits)}–${max.toFixed(digits)}`;
const range = (values: Spread, digits: number): string =>
  `${values.median.toFixed(digits)} (${between(values, digits)})`;

function sortByColumn(rows: string[][], column: number): string[][] {
  const value = (row: string[]): number => Number(row[column]?.replace("−", "-"));
  return rows.sort((a, b) => value(a) - value(b));
}
