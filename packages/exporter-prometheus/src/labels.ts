import type { Attributes, AttributeValue } from "@opentelemetry/api";
import type { Naming } from "@telltale/core";
import type { ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { quote, writeLabelName } from "./escaping.js";

type Scope = ScopeMetrics["scope"];

/** How a format writes a label. A set of labels is a text of theirs: the formats copy it into their lines as it is. */
export interface LabelSyntax {
  write(name: string, value: string): string;
  /** Between two labels. */
  readonly separator: string;
}

export const TEXT_LABELS: LabelSyntax = {
  write: (name, value) => `${writeLabelName(name)}=${quote(value)}`,
  separator: ",",
};

/** The labels of one page. */
export interface Labels {
  readonly naming: Naming;
  ofSeries(attributes: Attributes): string;
  ofScope(scope: Scope): string;
  ofResource(attributes: Attributes): string;
  join(first: string, second: string): string;
}

/** Labels that the format or the exporter sets; an attribute of that name steps aside, as in Prometheus itself. */
const RESERVED = ["le", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url"];

/**
 * Renders the attributes of series, each object once: they stay the same from scrape to scrape, and this is most of a page's
 * work (2,000 histogram series: 15 ms without, 1 ms with). `constant` is on every series that has no label of that name.
 */
export function createLabels(naming: Naming, syntax: LabelSyntax, constant: Attributes = {}): Labels {
  const reserved = new Set(["__name__", ...RESERVED.map(naming.label)]);
  const common = collectLabels(constant);
  const rendered = new WeakMap<Attributes, string>();

  /** Attributes that become one label are joined by `;` in the order of their own names. To Prometheus an empty label is none. */
  function collectLabels(attributes: Attributes): Map<string, string> {
    const labels = new Map<string, string>();
    for (const key of Object.keys(attributes).sort()) {
      const value = attributes[key];
      if (value === undefined || value === null || value === "") continue;
      const label = naming.label(key);
      const name = reserved.has(label) ? `exported_${label}` : label;
      const before = labels.get(name);
      labels.set(name, before === undefined ? toText(value) : `${before};${toText(value)}`);
    }
    return labels;
  }

  /** In the order of the labels, so that equal sets are equal texts. */
  function render(labels: Map<string, string>): string {
    return [...labels]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => syntax.write(name, value))
      .join(syntax.separator);
  }

  return {
    naming,
    ofSeries(attributes) {
      let labels = rendered.get(attributes);
      if (labels === undefined) {
        const own = collectLabels(attributes);
        for (const [name, value] of common) if (!own.has(name)) own.set(name, value);
        rendered.set(attributes, (labels = render(own)));
      }
      return labels;
    },
    ofScope({ name, version, schemaUrl }) {
      const labels = { otel_scope_name: name, otel_scope_schema_url: schemaUrl, otel_scope_version: version };
      return Object.entries(labels)
        .filter(([, value]) => value)
        .map(([label, value = ""]) => syntax.write(naming.label(label), value.toWellFormed()))
        .join(syntax.separator);
    },
    ofResource: (attributes) => render(collectLabels(attributes)),
    join(first, second) {
      if (second === "") return first;
      return first === "" ? second : first + syntax.separator + second;
    },
  };
}

function toText(value: AttributeValue): string {
  // Half a surrogate pair has no UTF-8; two of them would become the same label.
  return (typeof value === "object" ? JSON.stringify(value) : String(value)).toWellFormed();
}
