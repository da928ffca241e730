import { createKnownFindings, type FindingRecord, type KnownFinding, type Listener } from "@telltale/core";
import { createCacheFinder } from "./caches/finder.js";
import { createBlockFinder } from "./event-loop/block-finder.js";
import { createPlanFinder } from "./slow/explain.js";
import { noteOnSpan } from "./findings/attributes.js";
import { FindingRecords } from "./findings/records.js";
import { UNWATCHED, watchLoop } from "./event-loop/loop-watch.js";
import type { InsightsOptions } from "./options.js";
import { QueryHistories, type QueryCost } from "./slow/query-history.js";
import { createPoolHolders } from "./pools/holders.js";
import { createRepeatFinder } from "./repeats/finder.js";
import { createSlowQueryFinder } from "./slow/slow-query.js";

export interface InsightTotals {
  readonly findings: number;
  /** Query shapes that are followed, and the time of all their calls together in ms. */
  readonly queries: number;
  readonly queriesMs: number;
}

/** The listener, and what it can be asked. */
export interface Insights extends Listener {
  /** What was found since the start, the 1,000 that came last: those that cost most time, the first first. Default 10. */
  topFindings(limit?: number): FindingRecord[];
  /** The query shapes whose calls took most time together since the start, the first first. Default 10. */
  topQueries(limit?: number): QueryCost[];
  /** Of the accepted findings, those that have not occurred since the start. */
  unseenFindings(): readonly KnownFinding[];
  /** Tells now the findings that wait for a plan, without it. */
  tellHeld(): void;
  /** How much there is of both. */
  totals(): InsightTotals;
  /** Ends what it does besides listening. */
  stop(): void;
}

/**
 * The listener that finds slow and repeated calls, bad use of pools and caches, and blocks of the event loop. It works on what the
 * instrumentations report, so sampling and exporters make no difference. Add it before the listener that makes spans: what it notes on an operation goes onto its span; and before
 * those that hear findings, as it marks the accepted ones. It remembers what is found, by whomever, and tells of it: to those who listen
 * to `findingTold`.
 */
export function createInsights(options: InsightsOptions = {}): Insights {
  const blocks = createBlockFinder(options);
  const loop = blocks === undefined ? UNWATCHED : watchLoop(blocks);
  const histories = new QueryHistories();
  const plans = createPlanFinder();
  const findSlow = createSlowQueryFinder(options, histories, loop, plans);
  const repeats = createRepeatFinder(options);
  const known = createKnownFindings(options.knownFindings ?? []);
  const caches = createCacheFinder(options);
  const pools = createPoolHolders(options, loop);
  const records = new FindingRecords();
  return {
    name: "insights",
    operationStarted(operation) {
      blocks?.began(operation);
      if (operation.kind === "database") caches.began(operation);
    },
    ...pools,
    keyUsed: caches.keyUsed,
    added() {
      pools.added();
      caches.added();
    },
    removed() {
      pools.removed();
      caches.removed();
    },
    operationEnded(operation) {
      const { request } = operation;
      blocks?.ended(operation);
      if (operation.kind === "database") {
        findSlow(operation);
        caches.ended(operation);
        if (request !== undefined) repeats.queried(operation, request);
      } else if (request !== undefined) {
        if (operation.kind === "http.server") {
          repeats.requestEnded(operation, request, caches.requestEnded(operation, request));
        } else repeats.sent(operation, request);
      }
    },
    findingMade(finding, operation) {
      if (known.accepts(finding)) finding.accepted = true;
      if (operation !== undefined) noteOnSpan(finding, operation);
      records.add(finding);
    },
    topFindings: (limit = 10) => records.top(limit),
    unseenFindings: known.unseen,
    topQueries: (limit = 10) => histories.top(limit),
    tellHeld: plans.tellHeld,
    totals: () => ({ findings: records.size, queries: histories.size, queriesMs: histories.totalMs }),
    stop() {
      plans.tellHeld();
      loop.stop();
      blocks?.stop();
    },
  };
}
