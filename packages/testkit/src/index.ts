export { collect, type Collection, collectOperations, expectNoNPlusOne, type OperationCollection } from "./collect.js";
export { type DrawnSpan, drawTrace } from "./draw-trace.js";
export { type Behaviour, type OtlpReceiver, type OtlpReceiverOptions, startOtlpReceiver } from "./otlp-receiver.js";
export type { AttributeMap, AttributeValue, ReceivedPoint, ReceivedSpan } from "./received.js";
export { waitFor } from "./wait-for.js";
