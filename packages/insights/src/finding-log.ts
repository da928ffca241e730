import { type Finding, limitOf, type Listener } from "@telltale/core";

const QUIET_MS = 60_000;
const MAX_KEYS = 1_000;
const forgotten = limitOf("finding.log");

/**
 * Writes findings as JSON, a line each. The same finding (kind, endpoint, query) is written once a minute at most; `repeated`
 * then says how many came in between. The 1,000 written last are remembered.
 */
export function createFindingLog(write: (line: string) => void, now: () => number = Date.now): Listener {
  const last = new Map<string, { at: number; repeated: number }>();
  return {
    name: "finding log",
    findingMade(finding) {
      if (finding.accepted === true) return;
      const key = `${finding.kind}\n${finding.endpoint}\n${finding.fingerprint}`;
      const before = last.get(key);
      const at = now();
      if (before !== undefined && at - before.at < QUIET_MS) {
        before.repeated++;
        return;
      }
      // Last in the map again, so that the first is the oldest.
      last.delete(key);
      if (last.size >= MAX_KEYS) forgetOldest(last);
      last.set(key, { at, repeated: 0 });
      write(JSON.stringify({ ...toLine(finding), ...(before?.repeated && { repeated: before.repeated }) }));
    },
  };
}

function forgetOldest(last: Map<string, unknown>): void {
  for (const oldest of last.keys()) {
    last.delete(oldest);
    forgotten.total += 1;
    return;
  }
}

function toLine(finding: Finding): object {
  const round = (ms: number): number => Math.round(ms * 100) / 100;
  return {
    telltale: "finding",
    time: new Date(finding.time).toISOString(),
    kind: finding.kind,
    title: finding.title,
    advice: finding.advice,
    endpoint: finding.endpoint,
    system: finding.system,
    namespace: finding.namespace,
    query_summary: finding.querySummary,
    query_text: finding.queryText,
    fingerprint: finding.fingerprint,
    count: finding.count,
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
