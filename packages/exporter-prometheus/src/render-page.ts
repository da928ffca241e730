import type { Attributes } from "@opentelemetry/api";
import type { ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { namings, type NamingStrategy, Slices } from "@telltale/core";
import { escapeNames } from "./escaping.js";
import { collectFamilies, type DropReason, type Page } from "./families.js";
import { createLabels, type Labels, TEXT_LABELS } from "./labels.js";
import type { Format } from "./negotiate.js";
import type { PageLimit } from "./page-limit.js";
import { formatProtobuf, PROTOBUF_LABELS } from "./protobuf-format.js";
import { formatText } from "./text-format.js";
import { formatUpstream } from "./upstream-format.js";

export interface RenderOptions {
  readonly naming: NamingStrategy;
  labelsScope(scope: ScopeMetrics["scope"]): boolean;
  /** Names of resource attributes that every series gets as labels; `*` stands for any part of a name. */
  readonly resourceLabels: readonly string[];
  readonly limit: PageLimit;
  /** Told of each metric left out, at each page. */
  dropped(reason: DropReason, metric: string, text: string): void;
}

/** Writes pages, and remembers the labels of their series from one to the next. */
export function createRenderer(options: RenderOptions): (page: Page, format: Format) => Promise<AsyncIterable<Buffer>> {
  const { naming, limit } = options;
  const selects = createSelection(options.resourceLabels);
  const known = new Map<string, Labels>();
  let constantText = "{}";

  function labelsFor({ kind, escaping }: Format, constant: Attributes): Labels {
    const text = JSON.stringify(constant);
    if (text !== constantText) known.clear();
    constantText = text;
    const syntax = kind === "protobuf" ? PROTOBUF_LABELS : TEXT_LABELS;
    const key = `${escaping} ${syntax.separator}`;
    let labels = known.get(key);
    if (labels === undefined) {
      known.set(key, (labels = createLabels(escapeNames(namings[naming], escaping), syntax, constant)));
    }
    return labels;
  }

  return async (page, format) => {
    const slices = new Slices();
    const constant = selects(page.resource.attributes);
    if (naming === "upstream") return formatUpstream(page, { ...options, constant }, slices);
    const families = await collectFamilies(page, { ...options, labels: labelsFor(format, constant) }, slices);
    if (format.kind === "protobuf") return formatProtobuf(families, limit, slices);
    return formatText(families, { openMetrics: format.kind === "openmetrics", limit }, slices);
  };
}

/** The attributes whose names are among some, in which `*` stands for anything. */
function createSelection(names: readonly string[]): (attributes: Attributes) => Attributes {
  const parts = names.map((name) => name.replace(/[^\w*]/g, "\\$&").replaceAll("*", ".*"));
  const pattern = new RegExp(`^(?:${parts.join("|")})$`, "s");
  // Upstream loses `__proto__` here, and nobody misses it.
  const selects = (name: string): boolean => name !== "__proto__" && pattern.test(name);
  return (attributes) =>
    names.length === 0 ? {} : Object.fromEntries(Object.entries(attributes).filter(([name]) => selects(name)));
}
