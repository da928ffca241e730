import type { FindingRecord, Listener } from "@telltale/core";
import { escapeHostile } from "./hostile-text.js";

/** Writes what is told of findings as JSON, a line each: when one is new, and while it comes again, once a minute. */
export function createFindingLog(write: (line: string) => void): Listener {
  return {
    name: "finding log",
    findingTold: (finding) => write(escapeHostile(JSON.stringify(toLine(finding)))),
  };
}

function toLine(finding: FindingRecord): object {
  const round = (ms: number): number => Math.round(ms * 100) / 100;
  return {
    telltale: "finding",
    time: new Date(finding.lastSeen).toISOString(),
    id: finding.id,
    kind: finding.kind,
    severity: finding.severity,
    title: finding.title,
    cause: finding.cause,
    advice: finding.advice,
    page: finding.page,
    endpoint: finding.endpoint,
    system: finding.system,
    namespace: finding.namespace,
    query_summary: finding.querySummary,
    query_text: finding.queryText,
    fingerprint: finding.fingerprint,
    count: finding.count,
    first_seen: new Date(finding.firstSeen).toISOString(),
    lost_ms: round(finding.lostMs),
    calls: finding.calls,
    duration_ms: round(finding.durationMs),
    wait_ms: round(finding.waitMs),
    against_ms: round(finding.againstMs),
    reason: finding.reason,
    why: finding.why && {
      wait_ms: round(finding.why.waitMs),
      loop_delay_ms: round(finding.why.loopDelayMs),
      rest_ms: round(finding.why.restMs),
      is_estimate: finding.why.isEstimate,
    },
    call_site: finding.callSite,
    evidence: finding.evidence,
    plan: finding.plan,
    trace_id: finding.traceId,
    span_id: finding.spanId,
    sampled: finding.sampled,
  };
}
