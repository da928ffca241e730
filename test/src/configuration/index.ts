export { findAddresses } from "./addresses.js";
export type { Address } from "./addresses.js";
export { findCollectorProblems } from "./collector.js";
export type { CollectorConfig } from "./collector.js";
export { findUnknownUids, readDataSources, runGenerate } from "./generated.js";
export type { DataSource, Generated } from "./generated.js";
export { resolveEnvironment } from "./environment.js";
export type { Environment } from "./environment.js";
