import { context, propagation } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import {
  addListener,
  addSpanListener,
  type HttpClientOperation,
  type HttpServerOperation,
  type Instrumentation,
  type Operation,
  selfCounters,
} from "@telltale/core";

/** Everything that the instrumentations said in one test. */
export interface Heard {
  readonly started: readonly Operation[];
  readonly servers: readonly HttpServerOperation[];
  readonly clients: readonly HttpClientOperation[];
  readonly spans: readonly ReadableSpan[];
  readonly provider: TracerProvider;
  /** How often each operation ended. */
  readonly ends: ReadonlyMap<Operation, number>;
  clear(): void;
  stop(): void;
}

/** Hears with the real SDK: spans, an AsyncLocalStorage context, W3C propagation. */
export function hear(...instrumentations: Instrumentation[]): Heard {
  let failed = failures();
  const started: Operation[] = [];
  const servers: HttpServerOperation[] = [];
  const clients: HttpClientOperation[] = [];
  const ends = new Map<Operation, number>();
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const stops = [
    addListener({
      name: "test",
      operationStarted: (operation) => void started.push(operation),
      operationEnded(operation) {
        ends.set(operation, (ends.get(operation) ?? 0) + 1);
        if (operation.kind === "http.server") servers.push(operation);
        if (operation.kind === "http.client") clients.push(operation);
      },
    }),
    addSpanListener(provider),
  ];
  for (const instrumentation of instrumentations) instrumentation.enable();
  return {
    started,
    servers,
    clients,
    get spans() {
      return exporter.getFinishedSpans();
    },
    provider,
    ends,
    clear() {
      started.length = 0;
      servers.length = 0;
      clients.length = 0;
      ends.clear();
      exporter.reset();
    },
    /** Fails where a part of Telltale has: the app, and so most tests, see nothing of that. */
    stop() {
      for (const instrumentation of instrumentations) instrumentation.disable();
      for (const stop of stops) stop();
      context.disable();
      propagation.disable();
      const before = failed;
      failed = failures();
      if (failed > before) throw new Error(`an instrumentation failed ${failed - before} times`);
    },
  };
}

function failures(): number {
  const counters = Array.from(selfCounters()).filter(({ metric }) => metric === "telltale.instrumentation.errors");
  return counters.reduce((sum, { total }) => sum + total, 0);
}
