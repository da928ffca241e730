export { createFindingEvents } from "./finding-events.js";
export { FINDING_KINDS } from "./finding-kinds.js";
export { createFindingLog } from "./finding-log.js";
export { escapeHostile } from "./hostile-text.js";
export { createInsights, type Insights, type InsightTotals } from "./insights.js";
export type { InsightsOptions } from "./options.js";
export type { QueryCost } from "./query-history.js";
export { InsightsSpanProcessor, type InsightsSpanProcessorOptions } from "./span-processor.js";
