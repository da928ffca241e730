import {
  AggregationTemporality,
  type AggregationTemporalitySelector,
  InstrumentType,
} from "@opentelemetry/sdk-metrics";
import type { Recorded } from "./recorded.js";

/** The values of `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`. */
export type TemporalityPreference = "cumulative" | "delta" | "lowmemory";

const DELTA: Readonly<Record<TemporalityPreference, ReadonlySet<InstrumentType>>> = {
  cumulative: new Set(),
  delta: new Set([InstrumentType.COUNTER, InstrumentType.OBSERVABLE_COUNTER, InstrumentType.HISTOGRAM]),
  lowmemory: new Set([InstrumentType.COUNTER, InstrumentType.HISTOGRAM]),
};

/**
 * What a preference means for each instrument, for `selectAggregationTemporality` of an exporter as for `producerFor`.
 * https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration
 */
export function selectTemporality(preference: TemporalityPreference): AggregationTemporalitySelector {
  const deltas = DELTA[preference];
  return (type) => (deltas.has(type) ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE);
}

/**
 * Whether a metric is given as what was added since the last collection. Gauges and up-down counters are what they are, whatever
 * is preferred.
 */
export function isDelta(select: AggregationTemporalitySelector, recorded: Recorded): boolean {
  const { kind } = recorded.definition;
  if (kind === "gauge" || kind === "updowncounter") return false;
  const isObserved = "isObserved" in recorded && recorded.isObserved;
  const counter = isObserved ? InstrumentType.OBSERVABLE_COUNTER : InstrumentType.COUNTER;
  return select(kind === "histogram" ? InstrumentType.HISTOGRAM : counter) === AggregationTemporality.DELTA;
}
