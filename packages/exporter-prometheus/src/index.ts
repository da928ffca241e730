export type { Handler } from "./endpoint.js";
export { collectFamilies, type DropReason, type Family, type FamilyOptions, type Page } from "./families.js";
export { createLabelRenderer } from "./labels.js";
export type { Listening } from "./listen.js";
export {
  createPrometheusHandler,
  createPrometheusReader,
  type PrometheusHandler,
  type PrometheusHandlerOptions,
  type PrometheusReader,
  type PrometheusReaderOptions,
} from "./prometheus-reader.js";
export { formatText, TEXT_CONTENT_TYPE } from "./text-format.js";
