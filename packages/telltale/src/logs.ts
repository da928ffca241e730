import { createRequire } from "node:module";
import type { Resource } from "@opentelemetry/resources";

const require = createRequire(import.meta.url);

/** Sends what the app logs by the OpenTelemetry API, as `OTEL_LOGS_EXPORTER` says: the SDK's own work. Returns what ends it. */
export function startLogs(resource: Resource): () => void {
  const { NodeSDK } = require("@opentelemetry/sdk-node") as typeof import("@opentelemetry/sdk-node");
  const logs = new NodeSDK({
    resource,
    autoDetectResources: false,
    spanProcessors: [],
    metricReaders: [],
    textMapPropagator: null,
  });
  logs.start();
  return () => void logs.shutdown().catch(() => {});
}
