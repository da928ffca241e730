import {
  type Naming,
  type NamingStrategy,
  noTranslation,
  noUtf8EscapingWithSuffixes,
  underscoreEscapingWithoutSuffixes,
  underscoreEscapingWithSuffixes,
} from "./naming.js";

/**
 * The names of `@opentelemetry/exporter-prometheus` 0.301: no units, `_total` for counters. Neither metrics nor labels are checked
 * further, a label may begin with a digit or be empty; and a line break becomes `_n`.
 */
export const upstream: Naming = {
  metric({ name, type }) {
    const escaped = sanitize(name.replaceAll("\n", "\\n"));
    if (escaped === "" || escaped === "_") return undefined;
    const result = /^[0-9]/.test(escaped) ? `_${escaped}` : escaped;
    return type === "counter" && !result.endsWith("_total") ? `${result}_total` : result;
  },
  label: sanitize,
};

function sanitize(name: string): string {
  return name.replace(/[^a-z0-9_]/gi, "_").replace(/__+/g, "_");
}

/** Every strategy by the name that configurations have for it. */
export const namings: Readonly<Record<NamingStrategy, Naming>> = {
  UnderscoreEscapingWithSuffixes: underscoreEscapingWithSuffixes,
  UnderscoreEscapingWithoutSuffixes: underscoreEscapingWithoutSuffixes,
  NoUTF8EscapingWithSuffixes: noUtf8EscapingWithSuffixes,
  NoTranslation: noTranslation,
  upstream,
};
