import { cacheTable } from "./caches.js";
import { findingList, rankFindings } from "./findings.js";
import { poolTable } from "./pools.js";
import { sumOf } from "./prometheus-text.js";
import { queryTable } from "./queries.js";
import { requestTable } from "./requests.js";
import { drawWaterfall } from "./trace.js";
import { bad, bold, dim, good } from "./terminal.js";
import { formatCount } from "./units.js";

/**
 * What Telltale saw, from its own exports: the samples of its /metrics page after the load, the `pools` (`PoolPeaks`) of all pages until
 * then, the findings it logged and the spans it sent; `spans` is undefined where they went elsewhere. Lines of text.
 */
export function writeReport({ samples, pools, findings, spans, seconds }) {
  return [
    ...section(
      "Requests by route",
      "percentiles are interpolated from histogram buckets (≈)",
      requestTable(samples, seconds),
    ),
    ...section("Slowest queries and commands", "by time spent, waits for a connection included", queryTable(samples)),
    ...section("Caches", "keys looked up in Redis", cacheTable(samples)),
    ...section("Connection pools", `busiest of ${pools.scrapes} scrapes`, poolTable(samples, pools)),
    ...section("Findings", "the costliest first", findingList(findings, samples)),
    ...traceSection(rankFindings(findings, samples), spans),
  ];
}

/** The first N+1 shows best what a trace is good for. */
function traceSection(ranked, spans = []) {
  const { worst } = ranked.find(({ worst }) => worst.kind === "n_plus_one") ?? ranked[0] ?? {};
  const trace = spans.filter(({ traceId }) => traceId === worst?.trace_id);
  return trace.length === 0 ? [] : section("Trace", worst.trace_id, drawWaterfall(trace));
}

function section(title, note, lines) {
  return ["", `${bold(title)}  ${dim(note)}`, "", ...(lines.length > 0 ? lines : ["  none"])];
}

/** Telltale's counts beside that of the one who sent the requests: they must be equal. */
export function writeChecks({ samples, spans, sent, unanswered = 0 }) {
  const counted = sumOf(samples, "http_server_request_duration_seconds_count");
  const lost = unanswered === 0 ? "" : `, ${formatCount(unanswered)} of them in vain`;
  const checks = [
    [counted, `Telltale counted ${formatCount(counted)} requests, the load driver sent ${formatCount(sent)}${lost}`],
  ];
  if (spans !== undefined) {
    const traced = spans.filter(({ kind }) => kind === "server").length;
    checks.push([
      traced,
      `${formatCount(spans.length)} spans arrived over OTLP, ${formatCount(traced)} of them requests`,
    ]);
  }
  return checks.map(([value, text]) => `${value === sent ? good("✓") : bad("✗")} ${text}`);
}
