import { createRequire } from "node:module";
import type { TracerProvider } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { SpanProcessor } from "@opentelemetry/sdk-trace";
import { say } from "@telltale/core";
import { createSampler, createTracerProvider, SpanExport, type TailKeepOptions } from "@telltale/tracing";
import type { SourceOptions, TracesExporterName, TracesOptions } from "./config/options.js";
import {
  createSpanDelivery,
  createTraceExporter,
  createZipkinExporter,
  destinationOf,
  OTLP_TIMEOUT_MS,
} from "./otlp/exporters.js";
import { createSpanQueue, readSpanExportLimits, readSpanQueueLimits } from "./otlp/span-queue.js";
import type { Outlet } from "./outlet.js";
import { createSdkSampler } from "./sdk-sampler.js";
import { readSpanLimits } from "./span-limits.js";

/** What makes spans, and their way out of the process. */
export interface Tracing {
  /** Undefined when nobody wants spans. */
  readonly provider: FlushedTracerProvider | undefined;
  /** For the start-up line. */
  readonly destination: string;
  readonly outlets: readonly SpanOutlet[];
}

export interface SpanOutlet extends Outlet {
  /** Spans that are not on their way yet. */
  waiting(): number;
}

interface FlushedTracerProvider extends TracerProvider {
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

const require = createRequire(import.meta.url);

export function createTracing(config: SourceOptions, resource: Resource): Tracing {
  const { traces = {}, sdk = {}, engine = "telltale" } = config;
  const names = new Set<TracesExporterName>(traces.exporters ?? ["otlp"]);
  names.delete("none");
  const outlets: SpanOutlet[] = [];
  const processors: SpanProcessor[] = [];
  let encoded: SpanExport | undefined;
  for (const name of names) {
    if (name === "console") {
      processors.push(createConsoleProcessor());
    } else if (name === "otlp" && engine === "telltale" && (traces.protocol ?? "http/protobuf") === "http/protobuf") {
      const timeoutMs = Math.min(traces.timeoutMs ?? OTLP_TIMEOUT_MS, readSpanQueueLimits().exportTimeoutMs);
      const { deliver, hurry } = createSpanDelivery({ ...traces, timeoutMs });
      const spans = new SpanExport({ deliver, ...readSpanExportLimits() });
      encoded = spans;
      outlets.push({
        waiting: () => spans.waiting,
        hasMore: () => spans.size > 0,
        onFirst: (call) => void (spans.onFirst = call),
        delivering: () => spans.delivering,
        forceFlush: () => spans.forceFlush(),
        hurry,
      });
    } else {
      const exporter = name === "otlp" ? createTraceExporter(traces) : createZipkinExporter();
      const queue = createSpanQueue(exporter, readSpanQueueLimits());
      processors.push(queue);
      outlets.push({
        waiting: queue.waiting,
        hasMore: () => queue.size() > 0,
        delivering: queue.delivering,
        forceFlush: queue.forceFlush,
        hurry: () => exporter.hurry?.() ?? (() => {}),
      });
    }
  }
  processors.push(...(sdk.spanProcessors ?? []));
  const isWanted = encoded !== undefined || processors.length > 0;
  const keep = keepOf(traces);
  if (keep !== undefined && isWanted && (engine === "sdk" || sdk.sampler !== undefined)) {
    say("info", `traces.keep has no effect ${engine === "sdk" ? 'with engine "sdk"' : "with a sampler of your own"}`);
  }
  const { sampler: name = "parentbased_always_on", samplerArg } = traces;
  const shared = {
    resource,
    spanLimits: { ...readSpanLimits(), ...sdk.spanLimits },
    spanProcessors: processors,
    ...(sdk.idGenerator && { idGenerator: sdk.idGenerator }),
  };

  function createProvider(): FlushedTracerProvider {
    if (engine === "telltale") {
      return createTracerProvider({
        ...shared,
        sampler: sdk.sampler ?? createSampler(name, samplerArg),
        export: encoded,
        keep,
      });
    }
    const sdkTrace = require("@opentelemetry/sdk-trace") as typeof import("@opentelemetry/sdk-trace");
    return new sdkTrace.TracerProvider({
      ...shared,
      sampler: sdk.sampler ?? createSdkSampler(sdkTrace, name, samplerArg),
    });
  }

  return {
    provider: isWanted ? createProvider() : undefined,
    destination:
      [...names].map((each) => (each === "otlp" ? destinationOf(traces, "traces") : each)).join(" and ") || "off",
    outlets,
  };
}

/** Undefined when nothing is kept that is not sampled. */
function keepOf({ keep = [], keepSlowMs, keepPerSecond }: TracesOptions): TailKeepOptions | undefined {
  const reasons = keep.filter((reason) => reason !== "none");
  if (reasons.length === 0) return undefined;
  return {
    reasons,
    ...(keepSlowMs !== undefined && { slowMs: keepSlowMs }),
    ...(keepPerSecond !== undefined && { perSecond: keepPerSecond }),
  };
}

function createConsoleProcessor(): SpanProcessor {
  const { ConsoleSpanExporter, SimpleSpanProcessor } =
    require("@opentelemetry/sdk-trace") as typeof import("@opentelemetry/sdk-trace");
  return new SimpleSpanProcessor({ exporter: new ConsoleSpanExporter() });
}
