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

/** The translation strategies of the OpenTelemetry specification, and the names that upstream's exporter makes. */
export type NamingStrategy =
  | "UnderscoreEscapingWithSuffixes"
  | "UnderscoreEscapingWithoutSuffixes"
  | "NoUTF8EscapingWithSuffixes"
  | "NoTranslation"
  | "upstream";

/**
 * `http.server.request.duration` in `s` → `http_server_request_duration_seconds`: what Prometheus 2 does not take becomes one
 * `_`, then comes the unit, then `_total` for counters. Up-down counters in `1` count things, only gauges are a ratio.
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus
 */
export const underscoreEscapingWithSuffixes: Naming = {
  metric(metric) {
    const name = escapeMetric(metric.name);
    return name === undefined ? undefined : withSuffixes(name, metric);
  },
  label: escapeLabel,
};

/** `http.server.request.duration` → `http_server_request_duration`, and counters without `_total`. */
export const underscoreEscapingWithoutSuffixes: Naming = {
  metric: ({ name }) => escapeMetric(name),
  label: escapeLabel,
};

/** `http.server.request.duration` in `s` → `http.server.request.duration_seconds`, for Prometheus 3. */
export const noUtf8EscapingWithSuffixes: Naming = {
  metric: (metric) => (metric.name === "" ? undefined : withSuffixes(metric.name.toWellFormed(), metric)),
  label: keepLabel,
};

/** Names as they are, for Prometheus 3. */
export const noTranslation: Naming = {
  metric: ({ name }) => (name === "" ? undefined : name.toWellFormed()),
  label: keepLabel,
};

/** The unit as the word or words that names end with; empty for none. */
export function unitOf({ unit, isRatio }: Pick<Named, "unit" | "isRatio">): string {
  return isRatio && unit === "1" ? "ratio" : unitWords(unit);
}

function withSuffixes(name: string, metric: Named): string {
  const isCounter = metric.type === "counter";
  const result = withSuffix(isCounter ? name.replace(/(?<=.)[^a-zA-Z0-9]total$/s, "") : name, unitOf(metric));
  return isCounter ? withSuffix(result, "total") : result;
}

function withSuffix(name: string, suffix: string): string {
  if (suffix === "" || name === suffix) return name;
  // `uptime.seconds` has its unit already, `kilobytes` in `By` has not.
  if (name.endsWith(suffix) && /[^a-zA-Z0-9]/.test(name.charAt(name.length - suffix.length - 1))) return name;
  return name.endsWith("_") ? name + suffix : `${name}_${suffix}`;
}

function escapeMetric(name: string): string | undefined {
  const result = escape(name, /[^a-zA-Z0-9_:]/g);
  return /[a-zA-Z0-9]/.test(result) ? result : undefined;
}

function escapeLabel(key: string): string {
  return escape(key, /[^a-zA-Z0-9_]/g) || "_";
}

/** No two `_` in a row, so that no label begins with the `__` that Prometheus keeps for itself. */
function escape(name: string, refused: RegExp): string {
  const result = name.replace(refused, "_").replace(/__+/g, "_");
  return /^[0-9]/.test(result) ? `_${result}` : result;
}

function keepLabel(key: string): string {
  return key === "" ? "_" : key.toWellFormed();
}
