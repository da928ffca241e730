export { createFindingLog } from "./finding-log.js";
export { createInsights } from "./insights.js";
export type { InsightsOptions } from "./options.js";
