import { createRequire } from "node:module";
import {
  ConsoleMetricExporter,
  type MetricProducer,
  type MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from "@opentelemetry/sdk-metrics";
import { createPrometheusReader } from "@telltale/exporter-prometheus";
import { ignoreServer } from "@telltale/instrumentation-http";
import { say } from "@telltale/core";
import type { SourceOptions } from "./config/options.js";
import { createMetricExporter, destinationOf } from "./otlp/exporters.js";
import type { Role } from "./role.js";

/** The ways of metrics out of the process. */
export interface MetricReaders {
  readonly list: readonly MetricReader[];
  /** Where Prometheus can read, once it can; undefined when it cannot. */
  readonly url: Promise<string | undefined>;
  /** For the start-up line, where there is no URL. */
  readonly destination: string;
}

/** Ports that cluster workers try, one after the other, above the configured one. */
const WORKER_PORTS = 64;
void createRequire;

export function createMetricReaders(
  options: NonNullable<SourceOptions["metrics"]>,
  role: Role,
  producer: MetricProducer,
): MetricReaders {
  return undefined as never;
}
