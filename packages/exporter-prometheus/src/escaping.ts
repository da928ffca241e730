import type { Naming } from "@telltale/core";

/**
 * What a scraper takes in place of characters that Prometheus 2 refuses in names.
 * https://prometheus.io/docs/instrumenting/escaping_schemes/
 */
export type Escaping = "allow-utf-8" | "underscores" | "dots" | "values";

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The names of a strategy as the scraper takes them. */
export function escapeNames(naming: Naming, escaping: Escaping): Naming {
  if (escaping === "allow-utf-8") return naming;
  return {
    metric(metric) {
      const name = naming.metric(metric);
      const escaped = name === undefined ? "" : escape(name, escaping, METRIC_NAME);
      return /[a-zA-Z0-9]/.test(escaped) ? escaped : undefined;
    },
    label: (key) => escape(naming.label(key), escaping, LABEL_NAME),
  };
}

function escape(name: string, escaping: Exclude<Escaping, "allow-utf-8">, valid: RegExp): string {
  // Dots escapes every name: its underscores are doubled.
  if (escaping !== "dots" && valid.test(name)) return name;
  const escaped = Array.from(name, (character, n) => {
    if (escaping !== "underscores" && character === "_") return "__";
    // After a letter what may not begin a name is tried where it stands.
    if (valid.test(n === 0 ? character : `a${character}`)) return character;
    if (escaping === "underscores") return "_";
    if (escaping === "dots") return character === "." ? "_dot_" : "_";
    return `_${character.codePointAt(0)?.toString(16)}_`;
  }).join("");
  return escaping === "values" ? `U__${escaped}` : escaped;
}

export function isMetricName(name: string): boolean {
  return METRIC_NAME.test(name);
}

/** A label's name as the text formats write it, in quotes where Prometheus 2 would refuse it. */
export function writeLabelName(name: string): string {
  return LABEL_NAME.test(name) ? name : quote(name);
}

/** In double quotes, as names and values of labels are. */
export function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')}"`;
}
