import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import {
  addListener,
  addSpanListener,
  type CacheLookup,
  type Finding,
  type Listener,
  type Operation,
} from "@telltale/core";

/** What happened in this process since the collection began. */
export interface Collection {
  readonly operations: readonly Operation[];
  readonly lookups: readonly CacheLookup[];
  readonly findings: readonly Finding[];
  readonly spans: readonly ReadableSpan[];
  /** Forgets what was collected. */
  reset(): void;
  /** Ends the collection and puts the global context manager and tracer provider back. */
  stop(): void;
}

/**
 * Collects operations, cache lookups, findings and spans in memory. It sets the global context manager and tracer provider
 * until `stop`: use it where no SDK runs. `listeners` hear before spans end, as `createInsights()` must.
 */
export function collect(listeners: readonly Listener[] = []): Collection {
  const operations: Operation[] = [];
  const lookups: CacheLookup[] = [];
  const findings: Finding[] = [];
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
  const stops = [
    ...listeners.map(addListener),
    addListener({
      name: "testkit",
      operationEnded: (operation) => void operations.push(operation),
      cacheLooked: (lookup) => void lookups.push(lookup),
      findingMade: (finding) => void findings.push(finding),
    }),
    addSpanListener(provider),
  ];
  return {
    operations,
    lookups,
    findings,
    get spans() {
      return exporter.getFinishedSpans();
    },
    reset() {
      operations.length = 0;
      lookups.length = 0;
      findings.length = 0;
      exporter.reset();
    },
    stop() {
      for (const stop of stops) stop();
      trace.disable();
      context.disable();
    },
  };
}

/**
 * Runs something and fails if an N+1 or a duplicate query was found meanwhile; the message says which. Telltale must be
 * running, or a `collect([createInsights()])`.
 */
export async function expectNoNPlusOne<T>(run: () => T | Promise<T>): Promise<T> {
  const found: Finding[] = [];
  const stop = addListener({
    name: "expectNoNPlusOne",
    findingMade: (finding) => {
      if (finding.kind === "n_plus_one" || finding.kind === "duplicate_query") found.push(finding);
    },
  });
  try {
    const result = await run();
    if (found.length > 0) throw new Error(found.map(({ title, advice }) => `${title}. ${advice}`).join("\n"));
    return result;
  } finally {
    stop();
  }
}
