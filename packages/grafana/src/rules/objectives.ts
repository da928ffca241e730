import { METRICS } from "@telltale/core";
import { FAILED } from "../failures.js";
import type { Label, Promql } from "../promql.js";
import type { Slo } from "../slo.js";

/** What the service promises of its requests. */
export interface Objective {
  /** Value of the label `slo`. */
  readonly name: "errors" | "p95" | "p99";
  /** The share of requests that may break the promise. */
  readonly budget: number;
  /** Requests per second that do. */
  bad(q: Promql, by: readonly Label[]): string;
}

export function objectivesOf({ requests }: Slo): readonly Objective[] {
  return [
    {
      name: "errors",
      budget: requests.errorRatio,
      bad: (q, by) =>
        `${q.sum(by, q.count("httpServerDuration", FAILED))} or 0 * ${q.sum(by, q.count("httpServerDuration"))}`,
    },
    { name: "p95", budget: 0.05, bad: (q, by) => slowerThan(requests.p95Ms / 1000, q, by) },
    { name: "p99", budget: 0.01, bad: (q, by) => slowerThan(requests.p99Ms / 1000, q, by) },
  ];
}

const BOUNDS: readonly number[] = METRICS.httpServerDuration.buckets ?? [];

/**
 * Requests per second that took longer. Within a bucket they count as spread evenly, as `histogram_quantile` has it: p95 lies above
 * the time just when more than 5 % are slower.
 */
function slowerThan(seconds: number, q: Promql, by: readonly Label[]): string {
  const all = q.sum(by, q.count("httpServerDuration"));
  const upper = BOUNDS.findIndex((bound) => bound >= seconds);
  const [low = 0, high = seconds] = [BOUNDS[upper - 1], BOUNDS[upper]];
  const within = (seconds - low) / (high - low);
  const upTo = (bound: number): string => q.sum(by, q.buckets("httpServerDuration", { le: `=~${exactly(bound)}` }));
  if (within === 1) return `${all} - ${upTo(high)}`;
  const share = Number(within.toFixed(6));
  if (low === 0) return `${all} - ${share} * ${upTo(high)}`;
  return `${all} - ${Number((1 - share).toFixed(6))} * ${upTo(low)} - ${share} * ${upTo(high)}`;
}

/** The text format writes a bound as `1`, OpenMetrics and Prometheus 3 as `1.0`. */
function exactly(bound: number): string {
  const text = String(bound).replace(".", "\\.");
  return Number.isInteger(bound) ? `${text}(\\.0)?` : text;
}
