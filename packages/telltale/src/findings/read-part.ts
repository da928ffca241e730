import type { FindingRecord } from "@telltale/core";
import type { Insights, QueryCost } from "@telltale/insights";
import type { FindingsPart, ShownFinding } from "./page.js";

/** Of each process the first of both … */
const MAX_FINDINGS = 200;
const MAX_QUERIES = 50;
/** … as far as there is room, in bytes of JSON. */
const MAX_FINDINGS_BYTES = 80_000;
const MAX_QUERIES_BYTES = 30_000;
/** Characters of one text. */
const MAX_TEXT = 1_000;
const MAX_PLAN = 4_000;

/** What this process has to show, some 100 kB at most. */
export function readPart(insights: Insights, since: string): FindingsPart {
  return {
    since,
    findings: fitting(insights.topFindings(MAX_FINDINGS).map(show), MAX_FINDINGS_BYTES),
    queries: fitting(insights.topQueries(MAX_QUERIES).map(showQuery), MAX_QUERIES_BYTES),
    totals: insights.totals(),
  };
}

/** The first of a list that have room. */
function fitting<T>(list: readonly T[], maxBytes: number): T[] {
  let bytes = 0;
  return list.filter((one) => (bytes += Buffer.byteLength(JSON.stringify(one))) <= maxBytes);
}

function show(record: FindingRecord): ShownFinding {
  const { evidence, plan, why } = record;
  return {
    ...record,
    title: cut(record.title),
    querySummary: cut(record.querySummary),
    queryText: cut(record.queryText),
    firstSeen: new Date(record.firstSeen).toISOString(),
    lastSeen: new Date(record.lastSeen).toISOString(),
    lostMs: round(record.lostMs),
    durationMs: round(record.durationMs),
    waitMs: round(record.waitMs),
    againstMs: round(record.againstMs),
    why: why && {
      waitMs: round(why.waitMs),
      loopDelayMs: round(why.loopDelayMs),
      restMs: round(why.restMs),
      isEstimate: why.isEstimate,
    },
    evidence: evidence && Object.fromEntries(Object.entries(evidence).map(([name, value]) => [name, cutValue(value)])),
    plan: cut(plan, MAX_PLAN),
  };
}

function showQuery(cost: QueryCost): QueryCost {
  return {
    ...cost,
    querySummary: cut(cost.querySummary),
    queryText: cut(cost.queryText),
    totalMs: round(cost.totalMs),
    waitMs: round(cost.waitMs),
    meanMs: round(cost.meanMs),
    maxMs: round(cost.maxMs),
    usualMs: round(cost.usualMs),
  };
}

function cutValue(value: string | number | boolean): string | number | boolean {
  if (typeof value === "number") return round(value);
  return typeof value === "string" ? cut(value) : value;
}

function cut<T extends string | undefined>(text: T, length = MAX_TEXT): T | string {
  return text === undefined || text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
