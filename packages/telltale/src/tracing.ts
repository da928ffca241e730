import { createRequire } from "node:module";
import {
  ConsoleSpanExporter,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";
import type { TracesExporterName } from "./config/options.js";
import type { SourceOptions } from "./config/options.js";
import { createTraceExporter, destinationOf, type HurriedExporter } from "./otlp/exporters.js";
import { createSpanQueue, readSpanQueueLimits, type SpanQueue } from "./otlp/span-queue.js";

/** The way of spans out of the process. */
export interface Tracing {
  readonly processors: readonly SpanProcessor[];
  /** For the start-up line. */
  readonly destination: string;
  /** True while spans wait and the last delivery did not fail. */
  pending(): boolean;
  /** Delivers all that waits, trying once. */
  flushAtEnd(): Promise<void>;
  /** How long the end of the process may wait for that, in ms. */
  flushLimitMs(): number;
}

/** A collector that has answered before is worth waiting for; one that nobody has heard of yet is not. */
const KNOWN_COLLECTOR_MS = 2_000;
const UNKNOWN_COLLECTOR_MS = 500;
const require = createRequire(import.meta.url);

export function createTracing(options: NonNullable<SourceOptions["traces"]>): Tracing {
  const names = new Set<TracesExporterName>(options.exporters ?? ["otlp"]);
  names.delete("none");
  const queues: SpanQueue[] = [];
  const processors: SpanProcessor[] = [];
  const exporters: HurriedExporter[] = [];
  for (const name of names) {
    if (name === "console") {
      processors.push(new SimpleSpanProcessor({ exporter: new ConsoleSpanExporter() }));
      continue;
    }
    const exporter = name === "otlp" ? createTraceExporter(options) : createZipkinExporter();
    const queue = createSpanQueue(exporter, readSpanQueueLimits());
    exporters.push(exporter);
    queues.push(queue);
    processors.push(queue);
  }
  return {
    processors,
    destination:
      [...names].map((name) => (name === "otlp" ? destinationOf(options, "traces") : name)).join(" and ") || "off",
    pending: () => queues.some((queue) => queue.size() > 0 && queue.delivering() !== false),
    async flushAtEnd() {
      for (const exporter of exporters) exporter.hurry?.();
      await Promise.all(queues.map((queue) => queue.forceFlush()));
    },
    flushLimitMs: () =>
      queues.some((queue) => queue.delivering() === true) ? KNOWN_COLLECTOR_MS : UNKNOWN_COLLECTOR_MS,
  };
}

function createZipkinExporter(): SpanExporter & HurriedExporter {
  const { ZipkinExporter } = require("@opentelemetry/exporter-zipkin") as { ZipkinExporter: new () => SpanExporter };
  return new ZipkinExporter();
}
