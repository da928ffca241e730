import {
  annotateOperation,
  type DatabaseOperation,
  type DatabaseTemplate,
  type Finding,
  findingMade,
  lastSiteOf,
  templateSlot,
  wantSite,
  type Why,
} from "@telltale/core";
import {
  endpointOf,
  factsOfQuery,
  factsOfRequest,
  formatMs,
  isKeyValue,
  summaryOf,
  wallTimeOf,
  workMs,
} from "../findings/describe.js";
import { explainWith, type PlanFinder } from "./explain.js";
import type { LoopWatch } from "../event-loop/loop-watch.js";
import type { InsightsOptions } from "../options.js";
import type { QueryHistories, QueryHistory } from "./query-history.js";
import { annotateWhy, describeWhy, divideTime } from "./why.js";

/** What is known of the calls of one template. */
class Watched {
  /** A call that takes so long is slow, whatever its past; Infinity for never. */
  readonly thresholdMs: number;
  readonly history: QueryHistory | undefined;

  constructor(thresholdMs: number, history: QueryHistory | undefined) {
    this.thresholdMs = thresholdMs;
    this.history = history;
  }
}

/**
 * Finds calls slower than their threshold, or than calls of their shape usually are. The wait for a connection is not counted, so that
 * what is found by the threshold is what the server's own log says; BEGIN, SET, BLPOP and their like are never slow.
 */
export function createSlowQueryFinder(
  options: InsightsOptions,
  histories: QueryHistories,
  loop: LoopWatch,
  plans: PlanFinder,
): (operation: DatabaseOperation) => void {
  const { slowQueryMs = 100, slowQueries: { bySystem = {}, bySummary = {}, baseline: byBaseline = true } = {} } =
    options;
  const slot = templateSlot();

  function watch(template: DatabaseTemplate): Watched {
    const isControl = template.effect === "control";
    const threshold = bySummary[summaryOf(template)] ?? bySystem[template.system] ?? slowQueryMs;
    const watched = new Watched(
      threshold === 0 || isControl ? Number.POSITIVE_INFINITY : threshold,
      isControl ? undefined : histories.of(template),
    );
    template.slots[slot] = watched;
    return watched;
  }

  function judge(operation: DatabaseOperation, durationMs: number, { thresholdMs, history }: Watched): void {
    const why = divideTime(operation, loop, history?.baseline.medianMs ?? 0);
    const { usualMs = 0, limitMs = Number.POSITIVE_INFINITY } = history?.baseline ?? {};
    // Against its own past counts what the server took: when this process was busy, all its queries were late.
    const reason = durationMs >= thresholdMs ? "threshold" : why.restMs >= limitMs ? "baseline" : undefined;
    if (reason === "baseline" && !byBaseline) return;
    if (reason === undefined && durationMs + operation.waitMs < thresholdMs) return;
    annotateWhy(operation, why);
    if (reason === undefined) return;
    annotateOperation(operation, "telltale.slow.reason", reason);
    annotateOperation(operation, "telltale.slow.threshold_ms", thresholdMs);
    if (usualMs > 0) {
      annotateOperation(operation, "telltale.slow.baseline_ms", limitMs);
      annotateOperation(operation, "telltale.slow.usual_ms", usualMs);
    }
    const { template } = operation;
    const finding = describeSlow(operation, durationMs, reason, thresholdMs, usualMs, limitMs, why);
    // Where this process was to blame, the plan is not.
    if (why.loopDelayMs > why.restMs) findingMade(finding, operation);
    else plans.tell(finding, operation);
    wantSite(template);
  }

  return (operation) => {
    const { template, waitMs } = operation;
    const watched = (template.slots[slot] as Watched | undefined) ?? watch(template);
    const { thresholdMs, history } = watched;
    const durationMs = workMs(operation);
    if (history === undefined) {
      if (durationMs + waitMs >= thresholdMs) judge(operation, durationMs, watched);
      return;
    }
    const { baseline } = history;
    if (
      durationMs + waitMs >= thresholdMs ||
      (durationMs >= baseline.limitMs && thresholdMs !== Number.POSITIVE_INFINITY)
    )
      judge(operation, durationMs, watched);
    history.calls++;
    history.totalMs += durationMs;
    history.waitMs += waitMs;
    if (durationMs > history.maxMs) history.maxMs = durationMs;
    // What failed at once, or at a time-out, says nothing of how long it takes.
    if (operation.errorType === undefined) baseline.add(durationMs);
  };
}

function describeSlow(
  operation: DatabaseOperation,
  durationMs: number,
  reason: "threshold" | "baseline",
  thresholdMs: number,
  usualMs: number,
  limitMs: number,
  why: Why,
): Finding {
  const { template, request, waitMs, endMs, startMs } = operation;
  const endpoint = endpointOf(request);
  const where = endpoint === undefined ? "" : ` in ${endpoint}`;
  const parts = describeWhy(why);
  const against =
    reason === "threshold"
      ? `threshold ${formatMs(thresholdMs)}`
      : `usually ${formatMs(usualMs)} at most, limit ${formatMs(limitMs)}`;
  const took = parts === undefined ? durationMs : endMs - startMs;
  return {
    ...factsOfRequest(request, operation),
    ...factsOfQuery(template),
    kind: "slow_query",
    title: `${summaryOf(template)} took ${formatMs(took)}${where}${parts === undefined ? "" : `: ${parts}`} (${against})`,
    advice: why.loopDelayMs > why.restMs ? FREE_THE_LOOP : adviceFor(template, why),
    count: 1,
    durationMs,
    waitMs,
    againstMs: reason === "threshold" ? thresholdMs : limitMs,
    reason,
    time: wallTimeOf(endMs),
    why,
    cause: causeOf(why, reason, usualMs, template),
    callSite: operation.site ?? lastSiteOf(template),
    evidence: { threshold_ms: thresholdMs, ...(usualMs > 0 && { baseline_ms: limitMs, usual_ms: usualMs }) },
  };
}

/** Where most of the time went. */
function causeOf(
  { waitMs, loopDelayMs, restMs, isEstimate }: Why,
  reason: string,
  usualMs: number,
  template: DatabaseTemplate,
): string {
  const estimate = isEstimate ? ", as an estimate" : "";
  if (loopDelayMs > Math.max(restMs, waitMs)) {
    return `This process was busy with something else and did not read the answer: ${formatMs(loopDelayMs)}${estimate}.`;
  }
  if (waitMs > restMs) return `Most of it was waiting for a connection of the pool: ${formatMs(waitMs)}${estimate}.`;
  if (reason === "baseline") {
    return `The server took ${formatMs(restMs)}, where ${formatMs(usualMs)} were enough for 95 % of the calls before: look for what has changed, in load, data, plan or locks.`;
  }
  if (isKeyValue(template))
    return "The time is the server's, or the network's: the command has much to do, or waits for others that have.";
  return "The time is the server's, or the network's: it reads or sorts more than it has to, or waits for a lock.";
}

const FREE_THE_LOOP =
  "The server had probably answered long before: something else kept this process busy. Look for event_loop_blocked, and divide or move that work.";

/** Where the wait for a connection was the larger part, that comes first. */
function adviceFor(template: DatabaseTemplate, { waitMs, restMs }: Why): string {
  const cure = cureOf(template);
  if (waitMs <= restMs) return cure;
  return `Look for pool_starved: who holds the connections that it waits for. It is slow without the wait, too: ${cure[0]?.toLowerCase()}${cure.slice(1)}`;
}

function cureOf({ system, effect, collection }: DatabaseTemplate): string {
  if (system === "redis") {
    return "Redis answers one command at a time: look at the size of the value, at KEYS and large ranges, and at SLOWLOG GET.";
  }
  if (system === "memcached")
    return "Memcached has it in memory: look at the size of the value, and at the network in between.";
  if (effect === "write")
    return "Look for locks held by other transactions, for many indexes on the table, and for triggers.";
  const table =
    collection === undefined
      ? "the columns it filters and sorts by"
      : `the columns of ${collection} it filters and sorts by`;
  return `Look at its plan with ${explainWith(system)}; an index on ${table} is the usual cure.`;
}
