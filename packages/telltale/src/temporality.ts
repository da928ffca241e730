import { getStringFromEnv } from "@opentelemetry/core";
import type { AggregationTemporalitySelector } from "@opentelemetry/sdk-metrics";
import { sayOnce } from "@telltale/core";
import { selectTemporality, type TemporalityPreference } from "@telltale/metrics";

const VARIABLE = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
const KNOWN: readonly string[] = ["cumulative", "delta", "lowmemory"] satisfies TemporalityPreference[];

/** The temporality that the environment prefers for metrics sent by OTLP: Telltale's own, and those of the app's meters. */
export function preferredTemporality(): AggregationTemporalitySelector {
  const preference = getStringFromEnv(VARIABLE)?.toLowerCase() ?? "cumulative";
  if (KNOWN.includes(preference)) return selectTemporality(preference as TemporalityPreference);
  sayOnce("info", `${VARIABLE} must be one of ${KNOWN.join(", ")}; cumulative is used`);
  return selectTemporality("cumulative");
}
