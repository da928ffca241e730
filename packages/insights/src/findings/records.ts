import { hash } from "node:crypto";
import { performance } from "node:perf_hooks";
import { type Finding, type FindingRecord, findingTold, limitOf } from "@telltale/core";
import { causeOf, FINDING_KINDS, pageOf, severityOf } from "./kinds.js";

/** How long a finding that comes again is told of no more, in ms. */
const QUIET_MS = 60_000;
/** What is told in this time, all findings together. */
const MAX_TOLD = 100;
/** Findings that are remembered: 3 KB each with their texts, so 3 MB. */
const MAX_RECORDS = 1_000;
const forgotten = limitOf("finding.records");
const untold = limitOf("finding.told");

/** What came of one finding. */
class Entry {
  /** The one that stands for all. */
  shown: Finding;
  readonly firstSeen: number;
  lastSeen = 0;
  count = 0;
  lostMs = 0;
  toldMs = Number.NEGATIVE_INFINITY;

  constructor(finding: Finding) {
    this.shown = finding;
    this.firstSeen = finding.time;
  }

  add(finding: Finding): void {
    const { counts, lostMs } = FINDING_KINDS[finding.kind];
    this.lastSeen = finding.time;
    this.count += counts === "times" ? finding.count : 1;
    this.lostMs += finding.lostMs ?? lostMs(finding);
    // A trace that can be looked at is worth more than a newer one; where the call is made, and its plan, come with few.
    const { shown } = this;
    const { callSite = shown.callSite, plan = shown.plan } = finding;
    const base = finding.sampled || !shown.sampled ? finding : shown;
    this.shown = base.callSite === callSite && base.plan === plan ? base : { ...base, callSite, plan };
  }
}

/** All findings of a process, one for each thing that was found. */
export class FindingRecords {
  private readonly entries = new Map<string, Entry>();
  private readonly now: () => number;
  private sinceMs = Number.NEGATIVE_INFINITY;
  private told = 0;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** Adds a finding, and tells of it where it is new or was not told for a minute. The 1,000 that came last are remembered. */
  add(finding: Finding): void {
    const key = keyOf(finding);
    const entry = this.entries.get(key) ?? new Entry(finding);
    // Last in the map again, so that the first is the one that has not come for longest.
    this.entries.delete(key);
    if (this.entries.size >= MAX_RECORDS) this.forgetOldest();
    this.entries.set(key, entry);
    entry.add(finding);
    const nowMs = this.now();
    if (finding.accepted === true || nowMs - entry.toldMs < QUIET_MS || !this.mayTell(nowMs)) return;
    entry.toldMs = nowMs;
    findingTold(recordOf(key, entry));
  }

  /** Those that cost most time, the first first; how many there are besides is to be had from `size`. */
  top(limit: number): FindingRecord[] {
    const all = [...this.entries].sort(([, a], [, b]) => b.lostMs - a.lostMs || b.count - a.count);
    return all.slice(0, limit).map(([key, entry]) => recordOf(key, entry));
  }

  get size(): number {
    return this.entries.size;
  }

  private mayTell(nowMs: number): boolean {
    if (nowMs - this.sinceMs >= QUIET_MS) {
      this.sinceMs = nowMs;
      this.told = 0;
    }
    if (this.told >= MAX_TOLD) {
      untold.total += 1;
      return false;
    }
    this.told++;
    return true;
  }

  private forgetOldest(): void {
    for (const oldest of this.entries.keys()) {
      this.entries.delete(oldest);
      forgotten.total += 1;
      return;
    }
  }
}

function keyOf({ kind, endpoint, system, namespace, fingerprint, querySummary, subject }: Finding): string {
  return JSON.stringify([kind, endpoint, system, namespace, fingerprint ?? querySummary, subject]);
}

function recordOf(key: string, { shown, firstSeen, lastSeen, count, lostMs }: Entry): FindingRecord {
  const { kind } = shown;
  return {
    id: hash("sha256", key).slice(0, 16),
    kind,
    severity: severityOf(shown),
    title: shown.title,
    cause: causeOf(shown),
    advice: shown.advice,
    page: pageOf(kind),
    endpoint: shown.endpoint,
    route: shown.route,
    subject: shown.subject,
    system: shown.system,
    namespace: shown.namespace,
    querySummary: shown.querySummary,
    queryText: shown.queryText,
    fingerprint: shown.fingerprint,
    count,
    firstSeen,
    lastSeen,
    lostMs,
    calls: FINDING_KINDS[kind].counts === "calls" && shown.fingerprint !== undefined ? shown.count : undefined,
    durationMs: shown.durationMs,
    waitMs: shown.waitMs,
    againstMs: shown.againstMs,
    reason: shown.reason,
    why: shown.why,
    evidence: shown.evidence,
    callSite: shown.callSite,
    plan: shown.plan,
    accepted: shown.accepted === true,
    traceId: shown.traceId,
    spanId: shown.spanId,
    sampled: shown.sampled,
  };
}
