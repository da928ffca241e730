import { createRequire } from "node:module";
import type { LoggerProvider } from "@opentelemetry/api";
import { getStringFromEnv, getStringListFromEnv } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import type { LogRecordExporter, LogRecordProcessor } from "@opentelemetry/sdk-logs";
import { sayOnce } from "@telltale/core";
import { readNumber } from "./environment-number.js";
import { loadOptional } from "./optional-package.js";

/** What takes log records of the API. */
export interface RunningLoggerProvider extends LoggerProvider {
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

type SdkLogs = typeof import("@opentelemetry/sdk-logs");
const require = createRequire(import.meta.url);

const OTLP_PACKAGES: Readonly<Record<string, string>> = {
  "http/protobuf": "@opentelemetry/exporter-logs-otlp-proto",
  "http/json": "@opentelemetry/exporter-logs-otlp-http",
  grpc: "@opentelemetry/exporter-logs-otlp-grpc",
};

/** The SDK's logger provider, with the app's processors or the exporters of `OTEL_LOGS_EXPORTER`; undefined where neither is asked for. */
export function createLoggerProvider(
  resource: Resource,
  processors: LogRecordProcessor[] | undefined,
): RunningLoggerProvider | undefined {
  const names = new Set(getStringListFromEnv("OTEL_LOGS_EXPORTER"));
  if (processors === undefined ? names.size === 0 || names.has("none") : processors.length === 0) return undefined;
  const sdk = require("@opentelemetry/sdk-logs") as SdkLogs;
  const inForce = processors ?? [...names].flatMap((name) => createProcessor(name, sdk) ?? []);
  return new sdk.LoggerProvider({
    resource,
    processors: inForce,
    logRecordLimits: defined({
      attributeCountLimit:
        readNumber("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT") ?? readNumber("OTEL_ATTRIBUTE_COUNT_LIMIT"),
      attributeValueLengthLimit:
        readNumber("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT") ?? readNumber("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    }),
  });
}

function createProcessor(name: string, sdk: SdkLogs): LogRecordProcessor | undefined {
  if (name === "console") return new sdk.SimpleLogRecordProcessor({ exporter: new sdk.ConsoleLogRecordExporter() });
  if (name !== "otlp") {
    sayOnce("info", `OTEL_LOGS_EXPORTER: unknown exporter "${name}" is left out; known are otlp, console, none`);
    return undefined;
  }
  const exporter = createOtlpExporter();
  if (exporter === undefined) return undefined;
  return new sdk.BatchLogRecordProcessor({
    exporter,
    ...defined({
      maxQueueSize: readNumber("OTEL_BLRP_MAX_QUEUE_SIZE"),
      maxExportBatchSize: readNumber("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"),
      scheduledDelayMillis: readNumber("OTEL_BLRP_SCHEDULE_DELAY"),
      exportTimeoutMillis: readNumber("OTEL_BLRP_EXPORT_TIMEOUT"),
    }),
  });
}

function createOtlpExporter(): LogRecordExporter | undefined {
  const protocol =
    getStringFromEnv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL") ?? getStringFromEnv("OTEL_EXPORTER_OTLP_PROTOCOL");
  const name = OTLP_PACKAGES[protocol ?? "http/protobuf"];
  if (name === undefined) {
    const known = Object.keys(OTLP_PACKAGES).join(", ");
    sayOnce("info", `logs are not exported: OTEL_EXPORTER_OTLP_LOGS_PROTOCOL must be one of ${known}`);
    return undefined;
  }
  const loaded = loadOptional(name, "logs are not exported") as { OTLPLogExporter: new () => LogRecordExporter };
  return loaded && new loaded.OTLPLogExporter();
}

function defined<T extends object>(options: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
