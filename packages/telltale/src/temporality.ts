import { getStringFromEnv } from "@opentelemetry/core";
import {
  AggregationTemporality,
  type AggregationTemporalitySelector,
  InstrumentType,
} from "@opentelemetry/sdk-metrics";
import { sayOnce } from "@telltale/core";

const { CUMULATIVE, DELTA } = AggregationTemporality;
const { COUNTER, HISTOGRAM, OBSERVABLE_UP_DOWN_COUNTER, UP_DOWN_COUNTER } = InstrumentType;

/** https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration */
const SELECTORS: Readonly<Record<string, AggregationTemporalitySelector>> = {
  cumulative: () => CUMULATIVE,
  delta: (type) => (type === UP_DOWN_COUNTER || type === OBSERVABLE_UP_DOWN_COUNTER ? CUMULATIVE : DELTA),
  lowmemory: (type) => (type === COUNTER || type === HISTOGRAM ? DELTA : CUMULATIVE),
};

/** The temporality that `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` asks for, for the instruments of the app's own meters. */
export function preferredTemporality(): AggregationTemporalitySelector {
  const preference =
    getStringFromEnv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")?.toLowerCase() ?? "cumulative";
  const selector = Object.hasOwn(SELECTORS, preference) ? SELECTORS[preference] : undefined;
  if (selector !== undefined) return selector;
  const known = Object.keys(SELECTORS).join(", ");
  sayOnce("info", `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE must be one of ${known}; cumulative is used`);
  return () => CUMULATIVE;
}
