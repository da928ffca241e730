import { cacheTable } from "./caches.js";
import { findingList } from "./findings.js";
import { poolTable } from "./pools.js";
import { sumOf } from "./prometheus-text.js";
import { queryTable } from "./queries.js";
import { requestTable } from "./requests.js";
import { bad, bold, dim, good } from "./terminal.js";
import { formatCount } from "./units.js";

/**
 * What Telltale saw, from its own exports: `scrapes` of its /metrics page (parsed, oldest first; the last one was read after
 * the load) and the findings it logged. Lines of text.
 */
export function writeReport({ scrapes, findings, seconds }) {
  const samples = scrapes.at(-1);
  return [
    ...section("Requests by route", `≈ interpolated from histogram buckets`, requestTable(samples, seconds)),
    ...section("Slowest queries and commands", "by time spent, with their share of it", queryTable(samples)),
    ...section("Caches", "keys looked up in Redis", cacheTable(samples)),
    ...section("Connection pools", `busiest of ${scrapes.length} scrapes`, poolTable(scrapes)),
    ...section("Findings", `${findings.length} of them, the costliest first`, findingList(findings)),
  ];
}

function section(title, note, lines) {
  return ["", `${bold(title)}  ${dim(note)}`, "", ...(lines.length > 0 ? lines : ["  none"])];
}

/** Telltale's count of requests beside that of the one who sent them. */
export function writeCheck(samples, sent) {
  const counted = sumOf(samples, `http_server_request_duration_seconds_count`);
  const line = `Telltale counted ${formatCount(counted)} requests, the load driver sent ${formatCount(sent)}`;
  return counted === sent ? `${good("✓")} ${line}` : `${bad("✗")} ${line}`;
}
