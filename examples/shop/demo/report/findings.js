import { sumBy } from "./prometheus-text.js";
import { bad, bold, dim, terminalWidth, truncate, wrap } from "./terminal.js";
import { formatCount } from "./units.js";

const MOST = 4;

/** A finding as Telltale logs it, one JSON object on a line; undefined for any other line. */
export function readFinding(line) {
  if (!line.startsWith('{"telltale":"finding"')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * What to look at first. The log writes a finding once a minute, the metric counts them all, by kind, route and system; what
 * cost the most in all comes first.
 */
export function rankFindings(findings, samples) {
  const counted = sumBy(samples, "telltale_findings_total", (labels) =>
    keyOf(labels.telltale_finding_kind, labels.http_route, labels.db_system_name),
  );
  return [...Map.groupBy(findings, ({ kind, endpoint, fingerprint }) => keyOf(kind, endpoint, fingerprint)).values()]
    .map((same) => {
      const worst = same.reduce((one, other) => (other.duration_ms > one.duration_ms ? other : one));
      const route = worst.endpoint?.split(" ")[1];
      const times = counted.get(keyOf(worst.kind, route, worst.system)) ?? same.length;
      return { worst, times };
    })
    .sort((a, b) => b.times * b.worst.duration_ms - a.times * a.worst.duration_ms);
}

const keyOf = (...parts) => JSON.stringify(parts.map((part) => part ?? ""));

export function findingList(findings, samples) {
  const ranked = rankFindings(findings, samples);
  const lines = ranked.slice(0, MOST).flatMap(describe);
  const rest = ranked.length - MOST;
  return rest > 0 ? [...lines, dim(`  and ${rest} more`)] : lines.slice(0, -1);
}

function describe({ worst, times }) {
  const kind = `${bad("▲")} ${bold(nameOf(worst.kind))} in ${bold(worst.endpoint ?? "no request")}`;
  return [
    `  ${kind}  ${dim(times === 1 ? "once" : `${formatCount(times)} times`)}`,
    ...field("seen", worst.title),
    ...field("query", worst.query_text),
    ...field("cure", worst.advice),
    ...field("trace", worst.sampled === false ? "not sampled" : worst.trace_id),
    "",
  ];
}

/** `Pool starved` for `pool_starved`. */
function nameOf(kind) {
  if (kind === "n_plus_one") return "N+1";
  return (kind[0].toUpperCase() + kind.slice(1)).replaceAll("_", " ");
}

/** One finding in one line, and the trace to look at. */
export function summarizeFinding({ title, trace_id: traceId }) {
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
