export type { Telltale } from "./assemble.js";
export {
  type CacheFindingOptions,
  ConfigError,
  type EngineName,
  type EventLoopOptions,
  type FileOptions,
  type ForeignInstrumentation,
  type HttpOptions,
  type InstrumentationName,
  type KeepReason,
  type LogCorrelationName,
  type LogLevel,
  type MetricsExporterName,
  type MetricsOptions,
  type NPlusOneOptions,
  type PoolOptions,
  type OtlpOptions,
  type OtlpProtocol,
  type SamplerName,
  type SdkOptions,
  type SlowQueryOptions,
  type TelltaleOptions,
  type TracesExporterName,
  type TracesOptions,
} from "./config/options.js";
export { instrumentedLibraries } from "./instrumented-libraries.js";
export type { UpstreamName } from "./upstream/known.js";
export { onFinding } from "./on-finding.js";
export {
  cacheLookup,
  type MapLike,
  observeCache,
  type ObservedPool,
  observePool,
  type PoolAsk,
  type PoolObserver,
} from "./observe.js";
export { annotate, span, traced } from "./span.js";
export { start } from "./start.js";
export type { CacheResult, Finding, FindingKind, FindingRecord, FindingSeverity, PoolReading } from "@telltale/core";
