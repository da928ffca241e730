import type { Tracer, TracerOptions, TracerProvider } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { IdGenerator, Sampler, SpanLimits, SpanProcessor } from "@opentelemetry/sdk-trace";
import { limitOf, type Listener, startTimer, stopTimer } from "@telltale/core";
import { nameOf } from "./failures.js";
import { createOperationListener } from "./operation-listener.js";
import { fillLimits, Pipeline, type Scope } from "./pipeline.js";
import { createSampler, TraceSampler } from "./samplers.js";
import type { SpanExport } from "./span-export.js";
import { TailKeep, type TailKeepOptions } from "./tail-keep.js";
import { checkedIds } from "./trace-identity.js";
import { EngineTracer } from "./tracer.js";

export interface TracerProviderOptions {
  readonly resource: Resource;
  /** Default `parentbased_always_on`. One of `createSampler` costs least. */
  readonly sampler?: Sampler | undefined;
  /** Default 128 attributes, events and links, values of any length: the `OTEL_SPAN_*` defaults. */
  readonly spanLimits?: SpanLimits | undefined;
  /** Hear every recorded span, as in the SDK. With any of them, spans are made with all that a processor may read. */
  readonly spanProcessors?: readonly SpanProcessor[] | undefined;
  /** Default: random ids of the system's generator. */
  readonly idGenerator?: IdGenerator | undefined;
  /** Encodes and sends sampled spans; not needed where a processor exports. */
  readonly export?: SpanExport | undefined;
  /**
   * Exports requests that are not sampled when they failed, were slow, or something was found. Default: none of them. A sampler that is
   * not of `createSampler` decides alone.
   */
  readonly keep?: TailKeepOptions | undefined;
}

/** The engine's provider. */
export interface EngineTracerProvider extends TracerProvider {
  /** Delivers what has ended; rejects with the errors of the processors that failed, or took longer than the time allowed (default 30,000 ms). */
  forceFlush(options?: { timeoutMillis?: number }): Promise<void>;
  /** Flushes for the last time; rejects with the first error, or after the time allowed (default 30,000 ms). */
  shutdown(options?: { timeoutMillis?: number }): Promise<void>;
  /** Makes spans of operations without the API, where nothing needs to see them before they end; see `addSpanListener`. */
  createOperationListener(scope: Scope): Listener | undefined;
}

const FLUSH_TIMEOUT_MS = 30_000;
/** Kept by name; an app that makes up names for its tracers gets a new one each time. */
const MAX_TRACERS = 1_000;
const unkept = limitOf("tracers");
/** Attributes that an operation may have by itself. */
const OPERATION_ATTRIBUTES = 64;

/**
 * A tracer provider for the API, with the SDK's samplers, processors, id generators and exporters. Spans that nobody looks at are
 * encoded as OTLP, 32 at a time, and nothing else is made of them.
 */
export function createTracerProvider(options: TracerProviderOptions): EngineTracerProvider {
  const { resource, sampler = createSampler("parentbased_always_on"), spanProcessors = [], idGenerator } = options;
  const ids = idGenerator && checkedIds(idGenerator);
  const limits = fillLimits(options.spanLimits);
  const { keep } = options;
  const tailKeep =
    keep !== undefined && keep.reasons.length > 0 && sampler instanceof TraceSampler ? new TailKeep(keep) : undefined;
  const pipeline = new Pipeline(resource, sampler, ids, limits, spanProcessors, options.export, tailKeep);
  const parts = [...spanProcessors, ...(options.export ? [options.export] : [])];
  const tracers = new Map<string, Tracer>();

  function getTracer(name: string, version?: string, options?: TracerOptions): Tracer {
    const scope = scopeOf(name, version, options?.schemaUrl);
    const key = `${scope.name}@${scope.version ?? ""}:${scope.schemaUrl ?? ""}`;
    let tracer = tracers.get(key);
    if (tracer === undefined) {
      tracer = new EngineTracer(pipeline, scope);
      if (tracers.size < MAX_TRACERS) tracers.set(key, tracer);
      else unkept.total++;
    }
    return tracer;
  }

  return {
    getTracer,
    createOperationListener(scope) {
      const isPlain =
        sampler instanceof TraceSampler &&
        ids === undefined &&
        spanProcessors.length === 0 &&
        limits.attributeCountLimit >= OPERATION_ATTRIBUTES &&
        limits.attributeValueLengthLimit === Infinity;
      if (!isPlain) return undefined;
      pipeline.operationScope = scope;
      return createOperationListener(pipeline, sampler);
    },
    async forceFlush({ timeoutMillis = FLUSH_TIMEOUT_MS } = {}) {
      const results = await Promise.allSettled(
        parts.map(async (part) => within(part.forceFlush(), timeoutMillis, "flush")),
      );
      const errors = errorsOf(results);
      if (errors.length > 0) throw errors;
    },
    async shutdown({ timeoutMillis = FLUSH_TIMEOUT_MS } = {}) {
      tailKeep?.close();
      const work = parts.map(async (part) => within(part.shutdown(), timeoutMillis, "shut down"));
      const [error] = errorsOf(await Promise.allSettled(work));
      if (error !== undefined) throw error;
    },
  };
}

/** What is no text would spoil each batch that it is in. */
function scopeOf(name: unknown, version: unknown, schemaUrl: unknown): Scope {
  return {
    name: nameOf(name ?? ""),
    ...(version !== undefined && version !== null && { version: nameOf(version) }),
    ...(schemaUrl !== undefined && schemaUrl !== null && { schemaUrl: nameOf(schemaUrl) }),
  };
}

function errorsOf(results: readonly PromiseSettledResult<void>[]): unknown[] {
  return results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
}

/** The timer holds the process open meanwhile: what is sent does not, and whoever waits would never be answered. */
async function within(work: Promise<void>, ms: number, what: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = startTimer(() => reject(new Error(`a span processor or exporter did not ${what} within ${ms} ms`)), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    stopTimer(timer);
  }
}
