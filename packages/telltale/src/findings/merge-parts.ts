import type { QueryCost } from "@telltale/insights";
import type { FindingsPart, ShownFinding } from "./page.js";

/** What is shown of all processes together: 100 kB with what may be in them, and seldom more than 20. */
const MAX_FINDINGS = 200;
const MAX_QUERIES = 50;

/** One of several: the same finding in two processes is one that came in both. */
export function mergeParts(parts: readonly FindingsPart[]): FindingsPart {
  const findings = new Map<string, ShownFinding>();
  const queries = new Map<string, QueryCost>();
  const totals = { findings: 0, queries: 0, queriesMs: 0 };
  for (const part of parts) {
    for (const finding of part.findings) {
      const other = findings.get(finding.id);
      findings.set(finding.id, other === undefined ? finding : mergeFindings(other, finding));
    }
    for (const query of part.queries) {
      const key = JSON.stringify([query.system, query.namespace, query.fingerprint ?? query.querySummary]);
      const other = queries.get(key);
      queries.set(key, other === undefined ? query : mergeQueries(other, query));
    }
    totals.findings = Math.max(totals.findings, part.totals.findings);
    totals.queries = Math.max(totals.queries, part.totals.queries);
    totals.queriesMs += part.totals.queriesMs;
  }
  totals.findings = Math.max(totals.findings, findings.size);
  totals.queries = Math.max(totals.queries, queries.size);
  return {
    since: parts.map(({ since }) => since).sort()[0] ?? "",
    findings: [...findings.values()].sort((a, b) => b.lostMs - a.lostMs || b.count - a.count).slice(0, MAX_FINDINGS),
    queries: [...queries.values()]
      .sort((a, b) => b.totalMs - a.totalMs)
      .slice(0, MAX_QUERIES)
      .map((query) => Object.assign(query, { share: totals.queriesMs > 0 ? query.totalMs / totals.queriesMs : 0 })),
    totals,
  };
}

function mergeFindings(a: ShownFinding, b: ShownFinding): ShownFinding {
  const newer = a.lastSeen < b.lastSeen ? b : a;
  const older = newer === a ? b : a;
  const shown = newer.sampled || !older.sampled ? newer : older;
  return {
    ...shown,
    count: a.count + b.count,
    lostMs: a.lostMs + b.lostMs,
    firstSeen: a.firstSeen < b.firstSeen ? a.firstSeen : b.firstSeen,
    lastSeen: newer.lastSeen,
    callSite: newer.callSite ?? older.callSite,
    plan: newer.plan ?? older.plan,
  };
}

function mergeQueries(a: QueryCost, b: QueryCost): QueryCost {
  const calls = a.calls + b.calls;
  const totalMs = a.totalMs + b.totalMs;
  return {
    ...a,
    calls,
    totalMs,
    waitMs: a.waitMs + b.waitMs,
    meanMs: calls > 0 ? totalMs / calls : 0,
    maxMs: Math.max(a.maxMs, b.maxMs),
    usualMs: Math.max(a.usualMs, b.usualMs),
    isDegraded: a.isDegraded || b.isDegraded,
  };
}
