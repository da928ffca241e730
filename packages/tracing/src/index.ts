export type { Scope } from "./pipeline.js";
export { createSampler, type SamplerName } from "./samplers.js";
export { SpanExport, type SpanDelivery, type SpanExportOptions } from "./span-export.js";
export type { KeepReason, TailKeepOptions } from "./tail-keep.js";
export { createTracerProvider, type EngineTracerProvider, type TracerProviderOptions } from "./tracer-provider.js";
