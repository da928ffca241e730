import { parseArgs } from "node:util";
import type { FindingKind, FindingSeverity } from "@telltale/core";
import { escapeHostile, FINDING_KINDS } from "@telltale/insights";
import type { FindingsPage } from "../findings/page.js";
import { type Command, UsageError } from "./command.js";
import { DEFAULT_PORT, fetchPage, findingsUrl, shownUrl } from "./report/fetch-page.js";
import { renderReport } from "./report/render-report.js";

const SEVERITIES: readonly FindingSeverity[] = ["info", "warning", "error"];

const HELP = `telltale report [url]: what a running service has found, what cost most first

  url                   its endpoint for Prometheus, as its first line on stderr says: http://127.0.0.1:9464/metrics,
                        127.0.0.1:9464 or 9464; default port: OTEL_EXPORTER_PROMETHEUS_PORT, or ${DEFAULT_PORT}
  --kind <kind>         findings of this kind only; may be given more than once
                        one of ${Object.keys(FINDING_KINDS)
                          .join(", ")
                          .replace(/(.{60,90}?), /g, "$1,\n                        ")}
  --limit <number>      findings and query shapes shown; 0 for all; default 10
  --json                all that is known of them as JSON, for programs
  --fail-on <severity>  exit with 1 where there is a finding of this severity or worse, and it is not accepted as known:
                        info, warning, error

Colours where stdout is a terminal; NO_COLOR turns them off. Exit codes: 0 it was read; 1 --fail-on found something;
2 it could not be read, or the arguments are wrong.
`;

const OPTIONS = {
  kind: { type: "string", multiple: true, default: [] as string[] },
  limit: { type: "string", default: "10" },
  json: { type: "boolean", default: false },
  "fail-on": { type: "string" },
} as const;

/** `telltale report`. */
export const report: Command = {
  help: HELP,
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    if (positionals.length > 1) throw new UsageError(`one url at a time, got ${positionals.join(" ")}`);
    const kinds = readKinds(values.kind);
    const limit = readLimit(values.limit);
    const failOn = readSeverity(values["fail-on"]);
    const url = findingsUrl(positionals[0], process.env["OTEL_EXPORTER_PROMETHEUS_PORT"]);
    const page = ofKinds(await fetchPage(url), kinds);
    // Whoever reads the first lines only closes the pipe.
    process.stdout.on("error", () => {});
    process.stdout.write(
      write(url, () => (values.json ? toJson(page, limit) : renderReport(page, { limit, kinds, url: shownUrl(url) }))),
    );
    if (failOn !== undefined && page.findings.some((one) => !one.accepted && isAtLeast(one.severity, failOn))) {
      process.exitCode = 1;
    }
  },
};

/** Of what a page holds only the outline was looked at: the rest shows when it is written. */
function write(url: URL, render: () => string): string {
  try {
    return render();
  } catch {
    throw new UsageError(`${url.host} answered what no Telltale writes: is it the service that was meant?`);
  }
}

function readKinds(given: readonly string[]): readonly FindingKind[] {
  const kinds = given.flatMap((text) => text.split(","));
  const wrong = kinds.find((kind) => !Object.hasOwn(FINDING_KINDS, kind));
  if (wrong === undefined) return kinds as FindingKind[];
  throw new UsageError(`--kind must be one of ${Object.keys(FINDING_KINDS).join(", ")}, got ${JSON.stringify(wrong)}`);
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 0 && text.trim() !== "") return limit === 0 ? Infinity : limit;
  throw new UsageError(`--limit must be a whole number, 0 or more, got ${JSON.stringify(text)}`);
}

function readSeverity(text: string | undefined): FindingSeverity | undefined {
  const severity = SEVERITIES.find((one) => one === text);
  if (severity !== undefined || text === undefined) return severity;
  throw new UsageError(`--fail-on must be one of ${SEVERITIES.join(", ")}, got ${JSON.stringify(text)}`);
}

/** What an unknown severity means nobody knows: it counts as the worst. */
function isAtLeast(severity: FindingSeverity, least: FindingSeverity): boolean {
  const rank = SEVERITIES.indexOf(severity);
  return rank < 0 || rank >= SEVERITIES.indexOf(least);
}

function ofKinds(page: FindingsPage, kinds: readonly FindingKind[]): FindingsPage {
  if (kinds.length === 0) return page;
  return { ...page, findings: page.findings.filter(({ kind }) => kinds.includes(kind)) };
}

function toJson(page: FindingsPage, limit: number): string {
  const shown = { ...page, findings: page.findings.slice(0, limit), queries: page.queries.slice(0, limit) };
  return `${escapeHostile(JSON.stringify(shown, undefined, 2))}\n`;
}
