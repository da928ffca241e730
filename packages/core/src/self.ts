/** Telltale's own counters: what it dropped, refused or got wrong. Read by the metrics at each collection. */
export interface SelfCounter {
  readonly metric: SelfMetric;
  readonly attribute: string;
  readonly value: string;
  total: number;
}

export type SelfMetric =
  | "telltale.spans"
  | "telltale.labels.overflow"
  | "telltale.limits.reached"
  | "telltale.instrumentation.errors"
  | "telltale.metrics.dropped";

const counters = new Map<string, SelfCounter>();

/** One of Telltale's own counters, for those who add to it often; `value` must come from a small fixed set, as must every label. */
export function counterOf(metric: SelfMetric, attribute: string, value: string): SelfCounter {
  const key = `${metric}\n${value}`;
  let counter = counters.get(key);
  if (counter === undefined) counters.set(key, (counter = { metric, attribute, value, total: 0 }));
  return counter;
}

/** Counts what one bound cut, forgot or left out, for what is no label: `telltale.limits.reached`. */
export function limitOf(limit: string): SelfCounter {
  return counterOf("telltale.limits.reached", "telltale.limit", limit);
}

/** Adds to one of Telltale's own counters. */
export function count(metric: SelfMetric, attribute: string, value: string, by = 1): void {
  counterOf(metric, attribute, value).total += by;
}

export function selfCounters(): Iterable<SelfCounter> {
  return counters.values();
}
