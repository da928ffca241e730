import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { styleText } from "node:util";
import type { CallSite, FindingKind, FindingSeverity } from "@telltale/core";
import type { QueryCost } from "@telltale/insights";
import type { FindingsPage, ShownFinding } from "../../findings/page.js";
import { plain, truncate, widthOf, wrap } from "./plain-text.js";

const LABELS: Readonly<Record<FindingKind, string>> = {
  slow_query: "Slow query",
  n_plus_one: "N+1",
  duplicate_query: "Duplicate query",
  repeated_http_call: "Repeated HTTP call",
  repeated_lookup: "Repeated lookup",
  pool_starved: "Starved pool",
  connection_leak: "Connection leak",
  pool_timeout: "Pool time-out",
  cache_low_hit_ratio: "Low hit ratio",
  cache_stampede: "Cache stampede",
  cache_never_read: "Cache never read",
  event_loop_blocked: "Blocked event loop",
};
const COLOURS: Readonly<Record<FindingSeverity, "red" | "yellow" | "cyan">> = {
  error: "red",
  warning: "yellow",
  info: "cyan",
};

export interface ReportOptions {
  /** Findings and query shapes shown. */
  readonly limit: number;
  /** Those that were asked for; none for all. */
  readonly kinds: readonly FindingKind[];
  readonly url: string;
}

// styleText leaves the text alone where stdout is no terminal, and honours NO_COLOR and FORCE_COLOR.
const bold = (text: string): string => styleText("bold", text);
const dim = (text: string): string => styleText("dim", text);

/** The report for a person, as wide as the terminal from 60 to 100 columns; 80 where stdout is none. */
export function renderReport(page: FindingsPage, { limit, kinds, url }: ReportOptions): string {
  const width = Math.min(Math.max(process.stdout.columns ?? 80, 60), 100);
  const open = page.findings.filter(({ accepted }) => !accepted);
  const findings = open.slice(0, limit);
  const blocks = [
    headline(page, url, width),
    ...(findings.length === 0 ? [[`  ${nothing(kinds)}`]] : findings.map((one, n) => describe(one, n + 1, width))),
    ...footer(page, findings.length, open.length, kinds),
    ...(kinds.length === 0 && page.queries.length > 0 ? [describeQueries(page, limit, width)] : []),
  ];
  return `\n${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n\n`;
}

function headline(page: FindingsPage, url: string, width: number): string[] {
  const { service, processes, silent, since, time } = page;
  const many = processes === 1 ? "" : ` · ${formatCount(processes)} processes`;
  const missing = silent > 0 ? `, ${formatCount(silent)} more did not answer` : "";
  const lasts = formatSpan(Date.parse(time) - Date.parse(since));
  return [
    bold(truncate(`${plain(service)}${many}${missing} · watched for ${lasts}`, width)),
    dim(truncate(plain(url), width)),
  ];
}

function nothing(kinds: readonly FindingKind[]): string {
  return kinds.length === 0 ? "Nothing was found." : `Nothing of kind ${kinds.join(", ")} was found.`;
}

function footer(page: FindingsPage, shown: number, open: number, kinds: readonly FindingKind[]): string[][] {
  const accepted = page.findings.length - open;
  const known = kinds.length === 0 ? Math.max(page.totals?.findings ?? 0, page.findings.length) : page.findings.length;
  const rest = known - accepted - shown;
  const lines = [];
  if (rest > 0) {
    const cure = open > shown ? "; --limit 0 shows all that the service has ready" : "";
    lines.push(dim(`    and ${formatCount(rest)} more${cure}`));
  }
  if (accepted > 0) lines.push(dim(`    and ${formatCount(accepted)} accepted as known, not shown; --json has them`));
  return lines.length === 0 ? [] : [lines];
}

function describe(finding: ShownFinding, rank: number, width: number): string[] {
  const { kind, severity, endpoint, subject, count, lostMs } = finding;
  const label = LABELS[kind] ?? plain(kind);
  const place =
    endpoint === undefined ? (subject === undefined ? "" : ` of ${plain(subject)}`) : ` in ${placeOf(plain(endpoint))}`;
  const cost = `${lostMs >= 0.05 ? `${formatMs(lostMs)} lost · ` : ""}${count === 1 ? "once" : `${formatCount(count)} times`}`;
  const room = width - 6 - widthOf(cost);
  const head = truncate(`${label}${place}`, room);
  const space = " ".repeat(Math.max(2, width - 4 - widthOf(head) - widthOf(cost)));
  const mark = styleText(COLOURS[severity] ?? "red", severity === "info" ? "●" : "▲");
  return [
    `${String(rank).padStart(2)}${mark} ${bold(head)}${space}${dim(cost)}`,
    ...field("seen", finding.title, width, 4),
    ...field("cause", finding.cause, width, 4),
    ...field("cure", finding.advice, width, 6),
    ...field("query", finding.queryText, width, 3),
    ...field("where", finding.callSite && siteOf(finding.callSite), width, 2),
    ...planOf(finding, width),
    ...field("trace", traceOf(finding), width, 1),
    ...field("more", pageOf(finding.page), width, 2),
  ];
}

/** Without a route a request is known by its method alone, which would read as a place. */
function placeOf(endpoint: string): string {
  return /^[A-Z]+$/.test(endpoint) ? `${endpoint} without a route` : endpoint;
}

/** The page where it can be opened: here, or beside this program, which has all that it knew when it was built. */
function pageOf(page: string): string {
  if (!/^docs\/findings\/\w+\.md$/.test(page) || existsSync(page)) return page;
  const installed = join(dirname(createRequire(import.meta.url).resolve("telltale/register")), page);
  return existsSync(installed) ? fromHere(installed) : page;
}

function siteOf({ file, line, function: name }: CallSite): string {
  return `${fromHere(String(file))}:${line}${name === undefined ? "" : ` in ${name}`}`;
}

function fromHere(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? file : path;
}

function traceOf({ traceId, sampled }: ShownFinding): string | undefined {
  return traceId !== undefined && sampled ? traceId : undefined;
}

/** A plan is a tree: its lines stay lines, and the levels are to be seen. Where there is none although it was wanted, why. */
function planOf({ plan, evidence }: ShownFinding, width: number): string[] {
  const reason = evidence?.["not_explained"];
  if (plan === undefined) return field("plan", reason === undefined ? undefined : `none: ${reason}`, width, 2);
  const all = String(plan)
    .split("\n")
    .map((line) => `${/^ */.exec(line)?.[0] ?? ""}${plain(line.replaceAll(COSTS, " $1").trim())}`);
  const lines = all.length > MAX_PLAN ? [...all.slice(0, MAX_PLAN - 1), "…"] : all;
  return labelled(
    "plan",
    lines.map((line) => truncate(line, width - 11)),
  );
}

/** The lines of a plan that are shown; /findings has all. */
const MAX_PLAN = 14;
/** Of a step's estimates the rows matter to a person; all are in /findings. */
const COSTS = / {1,4}\(cost=\S+ (rows=\d+) width=\d+\)/g;

/** The name before the first line. */
function field(name: string, text: string | undefined, width: number, maxLines: number): string[] {
  return text === undefined ? [] : labelled(name, wrap(plain(text), width - 11, maxLines));
}

function labelled(name: string, lines: readonly string[]): string[] {
  return lines.map((line, n) => `    ${dim((n === 0 ? name : "").padEnd(7))}${line}`);
}

const COLUMNS = [7, 10, 11, 10, 10];
const NAME_AT = COLUMNS.reduce((sum, column) => sum + column, 0) + 2;
/** What tells a shape from others of its name is longer than a column. */
const NOTE_AT = 9;

function describeQueries({ queries, totals }: FindingsPage, limit: number, width: number): string[] {
  const shown = queries.slice(0, limit);
  const known = Math.max(totals?.queries ?? 0, queries.length);
  const rest = known - shown.length;
  const row = (cells: readonly string[], name: string): string =>
    `${cells.map((cell, n) => cell.padStart(COLUMNS[n] ?? 0)).join("")}  ${truncate(name, width - NAME_AT)}`;
  const lines: string[] = [];
  for (const query of shown) {
    const other = shown.find((one) => one !== query && nameOf(one) === nameOf(query));
    lines.push(row(numbersOf(query), nameOf(query)));
    const notes = [
      query.isDegraded ? "slower than it was" : "",
      other === undefined ? "" : distinction(plain(query.queryText), plain(other.queryText)),
    ];
    for (const note of notes.filter((text) => text !== "")) {
      lines.push(dim(" ".repeat(NOTE_AT) + truncate(note, width - NOTE_AT)));
    }
  }
  return [
    bold("The query shapes that cost most"),
    dim(row(["share", "time", "calls", "mean", "max"], "query")),
    ...lines,
    ...(rest > 0 ? [dim(`    and ${formatCount(rest)} more`)] : []),
  ];
}

/** A text from the word before that in which it differs from another one of the same summary. */
function distinction(text: string, other: string): string {
  let at = 0;
  while (at < text.length && text[at] === other[at]) at++;
  const word = text.lastIndexOf(" ", at - 1);
  const before = text.lastIndexOf(" ", word - 1);
  return before > 0 ? `… ${text.slice(before + 1)}` : text;
}

function numbersOf({ share, totalMs, calls, meanMs, maxMs }: QueryCost): string[] {
  return [`${(share * 100).toFixed(1)} %`, formatMs(totalMs), formatCount(calls), formatMs(meanMs), formatMs(maxMs)];
}

function nameOf({ querySummary, queryText, system }: QueryCost): string {
  return plain(querySummary ?? queryText ?? system);
}

function formatCount(count: number): string {
  return count < 1e7 ? Number(count).toLocaleString("en-US") : `${(count / 1e6).toFixed(1)} M`;
}

/** `0.42 ms`, `12.3 ms`, `340 ms`, `2.15 s`, `3.4 min`, `2.1 h`. */
function formatMs(ms: number): string {
  if (ms < 1) return `${Number(ms).toFixed(2)} ms`;
  if (ms < 99.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  const seconds = ms / 1000;
  if (seconds < 120) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  return seconds < 6_000 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}

/** `40 s`, `14 min`, `3 h 20 min`, `2 days`. */
function formatSpan(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (Number.isNaN(ms)) return "an unknown time";
  if (minutes < 2) return `${Math.round(ms / 1000)} s`;
  if (minutes < 120) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} days`;
}
