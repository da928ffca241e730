import { VERSION } from "@telltale/core";
import type { SidePage } from "@telltale/exporter-prometheus";
import { escapeHostile, type Insights } from "@telltale/insights";
import { mergeParts } from "./merge-parts.js";
import { FINDINGS_PATH, type FindingsPage, type FindingsPart, FORMAT } from "./page.js";
import { readPart } from "./read-part.js";

/** What the endpoint of the metrics answers at `/findings`: findings and query shapes, of all processes that share it. */
export function createFindingsPage(
  insights: () => Insights | undefined,
  service: string,
  audience: SidePage["audience"],
): SidePage {
  const since = new Date().toISOString();
  const nothing: FindingsPart = { since, findings: [], queries: [], totals: { findings: 0, queries: 0, queriesMs: 0 } };
  return {
    path: FINDINGS_PATH,
    audience,
    option: "metrics.findings (TELLTALE_METRICS_FINDINGS)",
    read() {
      const running = insights();
      return JSON.stringify(running === undefined ? nothing : readPart(running, since));
    },
    write(parts, silent) {
      const page: FindingsPage = {
        telltale: "findings",
        format: FORMAT,
        version: VERSION,
        service,
        time: new Date().toISOString(),
        processes: parts.length,
        silent,
        ...mergeParts(parts.map((part) => JSON.parse(part) as FindingsPart)),
      };
      return `${escapeHostile(JSON.stringify(page))}\n`;
    },
  };
}
