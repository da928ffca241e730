import { METRICS } from "@telltale/core";

/**
 * How the gauges of several processes become one value. `each` keeps them apart, by the label `telltale_worker`: a small number that a
 * new process takes over from one that ended, so that restarts make no new series.
 */
export type GaugeRule = "sum" | "min" | "max" | "mean" | "each";

/**
 * Gauges, in OpenTelemetry's words, are what does not add up; whatever does is an up-down counter (memory, requests in flight, the
 * connections of pools) and is summed over the processes that live. What we know of ours is written here, the rest is `each`.
 */
const RULES: ReadonlyMap<string, GaugeRule> = new Map([
  [METRICS.loopDelayMin.name, "min"],
  [METRICS.loopDelayMean.name, "mean"],
  // Percentiles cannot be put together. The worst loop of all is what somebody waits for, and a mean would hide it.
  [METRICS.loopDelayMax.name, "max"],
  [METRICS.loopDelayStddev.name, "max"],
  [METRICS.loopDelayP50.name, "max"],
  [METRICS.loopDelayP90.name, "max"],
  [METRICS.loopDelayP99.name, "max"],
  // One busy loop among idle ones must show; the mean is in nodejs.eventloop.time, which is summed.
  [METRICS.loopUtilization.name, "max"],
  [METRICS.resourcesActive.name, "sum"],
  // Each is a part of the same CPUs.
  [METRICS.cpuUtilization.name, "sum"],
  // The youngest: what crashes and is started again must show.
  [METRICS.uptime.name, "min"],
]);

/** The same for all threads of a process, whose main thread reports them. */
export const OF_PROCESS: ReadonlySet<string> = new Set([
  METRICS.cpuTime.name,
  METRICS.cpuUtilization.name,
  METRICS.memoryUsage.name,
  METRICS.uptime.name,
]);

export const WORKER_ATTRIBUTE = "telltale.worker";

/** The rule of a gauge, the user's own first. */
export function gaugeRule(name: string, own: Readonly<Record<string, GaugeRule>>): GaugeRule {
  return (Object.hasOwn(own, name) ? own[name] : RULES.get(name)) ?? "each";
}

/** One value of several, of at least one; those that are kept apart are not for this. */
export function combineGauges(rule: GaugeRule, values: readonly number[]): number {
  switch (rule) {
    case "min":
      return Math.min(...values);
    case "max":
      return Math.max(...values);
    case "mean":
      return addUp(values) / values.length;
    default:
      return addUp(values);
  }
}

function addUp(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
