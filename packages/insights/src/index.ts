export { createFindingLog } from "./finding-log.js";
export { createInsights, type Insights } from "./insights.js";
export {
  createKnownFindings,
  type KnownFinding,
  type KnownFindings,
  readKnownFindings,
  writeKnownFindings,
} from "./known-findings.js";
export type { InsightsOptions } from "./options.js";
export type { QueryCost } from "./query-history.js";
