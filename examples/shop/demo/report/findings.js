import { bad, bold, dim, terminalWidth, truncate, wrap } from "./terminal.js";
import { formatCount, formatSeconds } from "./units.js";

const MOST = 5;
const KINDS = { n_plus_one: "N+1", slow_query: "Slow query", duplicate_query: "Duplicate query" };

/** A finding as Telltale logs it, one JSON object on a line; undefined for any other line. */
export function readFinding(line) {
  if (!line.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(line);
    return typeof value.kind === "string" && typeof value.title === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Findings of one kind about one query of one endpoint are one; what cost the most in all comes first. */
export function groupFindings(findings) {
  const groups = Map.groupBy(findings, ({ kind, endpoint, fingerprint }) =>
    JSON.stringify([kind, endpoint, fingerprint]),
  );
  return [...groups.values()]
    .map((group) => ({
      worst: group.reduce((worst, finding) => (finding.durationMs > worst.durationMs ? finding : worst)),
      times: group.length,
      totalMs: group.reduce((sum, finding) => sum + finding.durationMs, 0),
    }))
    .sort((a, b) => b.totalMs - a.totalMs);
}

export function findingList(findings) {
  const groups = groupFindings(findings);
  const lines = groups.slice(0, MOST).flatMap(describe);
  const rest = groups.length - MOST;
  return rest > 0 ? [...lines, dim(`  and ${rest} more of them`)] : lines.slice(0, -1);
}

function describe({ worst, times, totalMs }) {
  const kind = `${bad("▲")} ${bold(KINDS[worst.kind] ?? worst.kind)} in ${bold(worst.endpoint ?? "no request")}`;
  return [
    `  ${kind}  ${dim(`${times === 1 ? "once" : `${formatCount(times)} times`}, ${formatSeconds(totalMs / 1000)} in all`)}`,
    ...field("worst", worst.title),
    ...field("query", worst.queryText),
    ...field("cure", worst.advice),
    ...field("trace", worst.sampled === false ? "not sampled" : worst.traceId),
    "",
  ];
}

/** One finding in one line, and the trace to look at. */
export function summarizeFinding({ title, traceId }) {
  return `  ${bad("▲")} ${title}${traceId === undefined ? "" : dim(`  trace ${traceId}`)}`;
}

/** At most three lines, the name before the first. */
function field(name, text) {
  if (text === undefined) return [];
  const width = terminalWidth() - 12;
  const lines = wrap(text, width);
  if (lines.length > 3) lines.splice(2, Infinity, truncate(lines.slice(2).join(" "), width));
  return lines.map((line, index) => `    ${dim((index === 0 ? name : "").padEnd(7))}${line}`);
}
