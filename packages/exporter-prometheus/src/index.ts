export type { Handler } from "./answer-pages.js";
export type { Exemplar } from "./exemplars.js";
export { addExponential } from "./exponential.js";
export type { DropReason, Page } from "./families.js";
export type { Listening } from "./listen.js";
export type { GaugeRule } from "./merge/gauge-rules.js";
export { createSharedReader, type SharedReader, type SharedReaderOptions } from "./merge/shared-reader.js";
export { type Format, negotiateFormat } from "./negotiate.js";
export type { PageLimit } from "./page-limit.js";
export {
  createPrometheusHandler,
  createPrometheusReader,
  type PrometheusHandler,
  type PrometheusHandlerOptions,
  type PrometheusReader,
  type PrometheusReaderOptions,
} from "./prometheus-reader.js";
export { createRenderer, type RenderOptions } from "./render-page.js";
export type { SidePage } from "./side-page.js";
