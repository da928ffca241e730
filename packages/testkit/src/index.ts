export { collect, type Collection, expectNoNPlusOne } from "./collect.js";
export { collectOperations, type OperationCollection } from "./collect-operations.js";
export { type DrawnSpan, drawTrace } from "./draw-trace.js";
export {
  expectNoFindings,
  expectQueryCount,
  type NoFindingsOptions,
  type QueryCount,
  type QueryCountOptions,
} from "./expectations.js";
export { matchers, type TelltaleMatchers } from "./matchers.js";
export type { FindingsReporterOptions } from "./new-findings.js";
export { type Behaviour, type OtlpReceiver, type OtlpReceiverOptions, startOtlpReceiver } from "./otlp-receiver.js";
export type { AttributeMap, AttributeValue, ReceivedPoint, ReceivedSpan } from "./received.js";
export { showModules } from "./show-modules.js";
export { waitFor } from "./wait-for.js";
