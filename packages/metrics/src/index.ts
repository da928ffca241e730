export { createMetrics, type Metrics, type MetricsOptions } from "./create-metrics.js";
export type { Exemplar } from "./exemplars.js";
export type { HistogramDataPoint } from "./histogram-series.js";
export type { NumberDataPoint } from "./number-series.js";
export { selectTemporality, type TemporalityPreference } from "./temporality.js";
