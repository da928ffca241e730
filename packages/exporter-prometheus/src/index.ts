export { familyName, type FamilyType, labelName } from "./naming.js";
export {
  createPrometheusReader,
  type Listening,
  type PrometheusReader,
  type PrometheusReaderOptions,
} from "./prometheus-reader.js";
export { serialize, type SerializeOptions } from "./serialize.js";
