import type { Histogram } from "@opentelemetry/sdk-metrics";
import type { Family } from "./families.js";

/** https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export const TEXT_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Characters that are handed on at once: a large page is written piece by piece, between the app's own work. */
const CHUNK = 32 * 1024;

/** Families as text, in chunks. */
export function* formatText(families: Iterable<Family>): Generator<string> {
  let text = "";
  for (const { name, type, help, series } of families) {
    if (help !== "") text += `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n`;
    text += `# TYPE ${name} ${type}\n`;
    for (const [labels, value] of series) {
      text += typeof value === "number" ? sample(name, labels, value) : histogramSamples(name, labels, value);
      if (text.length < CHUNK) continue;
      yield text;
      text = "";
    }
  }
  if (text !== "") yield text;
}

function histogramSamples(name: string, labels: string, { buckets, count, sum }: Histogram): string {
  const prefix = labels === "" ? "" : `${labels},`;
  let text = "";
  let below = 0;
  for (const [n, bound] of buckets.boundaries.entries()) {
    below += buckets.counts[n] ?? 0;
    // A bound that comes twice is one bucket, and the infinite one is written below.
    if (bound === buckets.boundaries[n + 1] || bound === Infinity) continue;
    text += sample(`${name}_bucket`, `${prefix}le="${formatNumber(bound)}"`, below);
  }
  text += sample(`${name}_bucket`, `${prefix}le="+Inf"`, count);
  if (sum !== undefined) text += sample(`${name}_sum`, labels, sum);
  return text + sample(`${name}_count`, labels, count);
}

function sample(name: string, labels: string, value: number): string {
  return labels === "" ? `${name} ${formatNumber(value)}\n` : `${name}{${labels}} ${formatNumber(value)}\n`;
}

function formatNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return String(value);
}
