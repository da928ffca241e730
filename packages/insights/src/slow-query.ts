import {
  annotateOperation,
  type DatabaseOperation,
  type DatabaseTemplate,
  findingMade,
  listenerSlot,
} from "@telltale/core";
import { endpointOf, formatMs, makeFinding, summaryOf, workMs } from "./describe.js";
import type { InsightsOptions } from "./options.js";

/**
 * Finds calls slower than their threshold. The wait for a connection is not counted, so that what is found here is what the
 * server's own log says; BEGIN, SET, BLPOP and their like are never slow.
 */
export function createSlowQueryFinder(options: InsightsOptions): (operation: DatabaseOperation) => void {
  const { slowQueryMs = 100, slowQueries: { bySystem = {}, bySummary = {} } = {} } = options;
  const slot = listenerSlot();

  function thresholdOf(template: DatabaseTemplate): number {
    const known = template.slots[slot] as number | undefined;
    if (known !== undefined) return known;
    const threshold = bySummary[summaryOf(template)] ?? bySystem[template.system] ?? slowQueryMs;
    const inForce = threshold === 0 || template.effect === "control" ? Number.POSITIVE_INFINITY : threshold;
    template.slots[slot] = inForce;
    return inForce;
  }

  return (operation) => {
    const { template, request, waitMs } = operation;
    const durationMs = workMs(operation);
    const againstMs = thresholdOf(template);
    if (durationMs < againstMs) return;
    annotateOperation(operation, "telltale.slow.reason", "threshold");
    annotateOperation(operation, "telltale.slow.threshold_ms", againstMs);
    const endpoint = endpointOf(request);
    const waited = waitMs >= 1 ? `, after ${formatMs(waitMs)} waiting for a connection` : "";
    const where = endpoint === undefined ? "" : ` in ${endpoint}`;
    findingMade(
      makeFinding(
        {
          kind: "slow_query",
          title: `${summaryOf(template)} took ${formatMs(durationMs)}${where}${waited} (threshold ${formatMs(againstMs)})`,
          advice: adviceFor(template),
          count: 1,
          durationMs,
          waitMs,
          againstMs,
          reason: "threshold",
        },
        template,
        request,
        operation,
      ),
    );
  };
}

function adviceFor({ system, effect, collection }: DatabaseTemplate): string {
  if (system === "redis") {
    return "Redis answers one command at a time: look at the size of the value, at KEYS and large ranges, and at SLOWLOG GET.";
  }
  if (effect === "write")
    return "Look for locks held by other transactions, for many indexes on the table, and for triggers.";
  const table =
    collection === undefined
      ? "the columns it filters and sorts by"
      : `the columns of ${collection} it filters and sorts by`;
  return `Look at its plan with EXPLAIN (ANALYZE, BUFFERS); an index on ${table} is the usual cure.`;
}
