import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { addListener, addSpanListener, type Finding, type Listener } from "@telltale/core";
import { collectOperations, type OperationCollection } from "./collect-operations.js";
import { waitFor } from "./wait-for.js";

/** The same, with the spans that were made of it. */
export interface Collection extends OperationCollection {
  readonly spans: readonly ReadableSpan[];
}

/**
 * Collects operations, cache lookups, findings and spans in memory. It sets the global context manager and tracer provider
 * until `stop`: use it where no SDK runs. `listeners` hear before spans end, as `createInsights()` must.
 */
export function collect(listeners: readonly Listener[] = []): Collection {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
  const stops = listeners.map(addListener);
  const collected = collectOperations();
  stops.push(collected.stop, addSpanListener(provider));
  return {
    ...collected,
    get spans() {
      return exporter.getFinishedSpans();
    },
    reset() {
      collected.reset();
      exporter.reset();
    },
    stop() {
      for (const stop of stops) stop();
      trace.disable();
      context.disable();
    },
  };
}

const REPEATED = new Set<Finding["kind"]>(["n_plus_one", "duplicate_query", "repeated_lookup"]);
/** The end of a request is heard when the response has been handed over, which may be after the client has read it. */
const REQUEST_END_MS = 1_000;

/**
 * Runs something that makes this process serve requests, and fails if an N+1, a duplicate query or a loop of Redis commands was found
 * in them that is not accepted; the message says which. Telltale must be running, or a `collect([createInsights()])` with the instrumentations. Findings are made when a request ends,
 * so a run in which none has ended fails too: nothing could have been found.
 */
export async function expectNoNPlusOne<T>(run: () => T | Promise<T>): Promise<T> {
  const found: Finding[] = [];
  let open = 0;
  let ended = 0;
  const stop = addListener({
    name: "expectNoNPlusOne",
    operationStarted: ({ kind }) => void (kind === "http.server" && open++),
    operationEnded({ kind }) {
      if (kind !== "http.server") return;
      open--;
      ended++;
    },
    findingMade: (finding) => {
      if (finding.accepted === true) return;
      if (REPEATED.has(finding.kind)) found.push(finding);
    },
  });
  try {
    const result = await run();
    await waitFor(
      () => ended > 0 && open <= 0,
      () => (ended > 0 ? "requests to end" : "a request to be served: without one there is nothing to find"),
      REQUEST_END_MS,
    );
    if (found.length > 0) throw new Error(found.map(({ title, advice }) => `${title}. ${advice}`).join("\n"));
    return result;
  } finally {
    stop();
  }
}
