import { unitWords } from "./units.js";

/** What a metric is to Prometheus. */
export type FamilyType = "counter" | "gauge" | "histogram";

/** A metric's own name and unit, and what it becomes. */
export interface Named {
  readonly name: string;
  readonly unit: string;
  readonly type: FamilyType;
  /** A gauge in the sense of OpenTelemetry, not an up-down counter. */
  readonly isRatio: boolean;
}

/** How names of OpenTelemetry become names of Prometheus. */
export interface Naming {
  /** Undefined where nothing of the name can be kept. */
  metric(metric: Named): string | undefined;
  label(key: string): string;
}

/**
 * `http.server.request.duration` in `s` → `http_server_request_duration_seconds`: what Prometheus does not take becomes one
 * `_`, then comes the unit, then `_total` for counters. Up-down counters in `1` count things, only gauges are a ratio.
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus
 */
export const underscoreEscapingWithSuffixes: Naming = {
  metric({ name, unit, type, isRatio }) {
    let result = escape(name, /[^a-zA-Z0-9_:]/g);
    if (!/[a-zA-Z0-9]/.test(result)) return undefined;
    if (type === "counter") result = result.replace(/_total$/, "");
    result = withSuffix(result, isRatio && unit === "1" ? "ratio" : unitWords(unit));
    return type === "counter" ? withSuffix(result, "total") : result;
  },
  label: (key) => escape(key, /[^a-zA-Z0-9_]/g) || "_",
};

function withSuffix(name: string, suffix: string): string {
  if (suffix === "" || name === suffix || name.endsWith(`_${suffix}`)) return name;
  return name.endsWith("_") ? name + suffix : `${name}_${suffix}`;
}

/** No two `_` in a row, so that no label begins with the `__` that Prometheus keeps for itself. */
function escape(name: string, refused: RegExp): string {
  const result = name.replace(refused, "_").replace(/__+/g, "_");
  return /^[0-9]/.test(result) ? `_${result}` : result;
}
