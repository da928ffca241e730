import type { Listener } from "@telltale/core";
import { createCacheFinder } from "./cache-use.js";
import { createBlockFinder } from "./event-loop.js";
import { createPlanFinder } from "./explain.js";
import { UNWATCHED, watchLoop } from "./loop-watch.js";
import { createKnownFindings, type KnownFinding } from "./known-findings.js";
import type { InsightsOptions } from "./options.js";
import { QueryHistories, type QueryCost } from "./query-history.js";
import { createPoolHolders } from "./pool-holders.js";
import { createRepeatFinder } from "./repeat-finder.js";
import { createSlowQueryFinder } from "./slow-query.js";

/** The listener, and what it can be asked. */
export interface Insights extends Listener {
  /** The query shapes whose calls took most time together since the start, the first first. Default 10. */
  topQueries(limit?: number): QueryCost[];
  /** Of the accepted findings, those that have not occurred since the start. */
  unseenFindings(): readonly KnownFinding[];
  /** Tells now the findings that wait for a plan, without it. */
  tellHeld(): void;
  /** Ends what it does besides listening. */
  stop(): void;
}

/**
 * The listener that finds slow, repeated and duplicate queries, and blocks of the event loop. It works on operations only, so sampling and
 * exporters make no difference. Add it before the listener that makes spans: what it notes on an operation goes onto its span; and before
 * those that hear findings, as it marks the accepted ones.
 */
export function createInsights(options: InsightsOptions = {}): Insights {
  const blocks = createBlockFinder(options);
  const loop = options.eventLoop?.blockMs === 0 ? UNWATCHED : watchLoop(blocks);
  const histories = new QueryHistories();
  const plans = createPlanFinder();
  const findSlow = createSlowQueryFinder(options, histories, loop, plans);
  const repeats = createRepeatFinder(options);
  const known = createKnownFindings(options.knownFindings ?? []);
  const caches = createCacheFinder(options);
  const pools = createPoolHolders(options, loop);
  return {
    name: "insights",
    operationStarted(operation) {
      if (loop.isDozing) loop.wake();
      blocks.began(operation);
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
      blocks.ended(operation);
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
    findingMade(finding) {
      if (known.accepts(finding)) finding.accepted = true;
    },
    unseenFindings: known.unseen,
    topQueries: (limit = 10) => histories.top(limit),
    tellHeld: plans.tellHeld,
    stop() {
      plans.tellHeld();
      loop.stop();
      blocks.stop();
    },
  };
}
