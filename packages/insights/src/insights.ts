import type { Listener } from "@telltale/core";
import type { InsightsOptions } from "./options.js";
import { createRepeatFinder } from "./repeated-query.js";
import { createSlowQueryFinder } from "./slow-query.js";

/**
 * The listener that finds slow, repeated and duplicate queries. It works on operations only, so sampling and exporters make no
 * difference. Add it before the listener that makes spans: what it notes on an operation goes onto its span.
 */
export function createInsights(options: InsightsOptions = {}): Listener {
  const findSlow = createSlowQueryFinder(options);
  const repeats = createRepeatFinder(options);
  return {
    name: "insights",
    operationEnded(operation) {
      const { request } = operation;
      if (operation.kind === "database") {
        findSlow(operation);
        if (request !== undefined) repeats.heard(operation, request);
      } else if (operation.kind === "http.server" && request !== undefined) {
        repeats.requestEnded(operation, request);
      }
    },
  };
}
