export { createFindingEvents, type FindingEventsOptions } from "./findings/events.js";
export { FINDING_KINDS } from "./findings/kinds.js";
export { createFindingLog } from "./findings/log.js";
export { escapeHostile } from "./findings/hostile-text.js";
export { createInsights, type Insights, type InsightTotals } from "./insights.js";
export type { InsightsOptions } from "./options.js";
export type { QueryCost } from "./slow/query-history.js";
export { InsightsSpanProcessor, type InsightsSpanProcessorOptions } from "./spans/span-processor.js";
