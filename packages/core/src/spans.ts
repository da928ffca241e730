import { type Span, SpanStatusCode, type Tracer, type TracerProvider } from "@opentelemetry/api";
import { toEpochMs } from "./clock.js";
import { describeEnd, errorMessageOf, spanKindOf, spanNameOf, startAttributesOf } from "./describe-span.js";
import { addListener, type Listener } from "./listeners.js";
import type { Operation } from "./operation.js";
import { VERSION } from "./version.js";

const listening = new WeakMap<TracerProvider, { users: number; remove: () => void }>();

/** A provider that can make spans of operations by itself, without the API. */
interface OperationTracerProvider extends TracerProvider {
  createOperationListener?(scope: { readonly name: string; readonly version: string }): Listener | undefined;
}

/** Makes spans of operations with a provider's tracer; a provider is listened for once, however often it is added. */
export function addSpanListener(provider: OperationTracerProvider): () => void {
  const entry = listening.get(provider) ?? { users: 0, remove: addListener(listenerOf(provider)) };
  listening.set(provider, entry);
  entry.users++;
  return () => {
    if (--entry.users > 0) return;
    listening.delete(provider);
    entry.remove();
  };
}

function listenerOf(provider: OperationTracerProvider): Listener {
  const scope = { name: "telltale", version: VERSION };
  return provider.createOperationListener?.(scope) ?? createSpanListener(provider.getTracer(scope.name, scope.version));
}

/**
 * Operations as spans: names, kinds, attributes and status of the stable HTTP and database conventions. It must be the last
 * listener, because what the others note on an operation is written to its span when that ends.
 */
function createSpanListener(tracer: Tracer): Listener {
  return {
    name: "spans",
    operationStarted(operation) {
      operation.span = startSpan(tracer, operation);
    },
    operationEnded(operation) {
      if (operation.span !== undefined) endSpan(operation.span, operation);
    },
  };
}

function startSpan(tracer: Tracer, operation: Operation): Span {
  const startTime = toEpochMs(operation.startMs);
  return tracer.startSpan(
    spanNameOf(operation),
    { kind: spanKindOf(operation), attributes: startAttributesOf(operation), startTime },
    operation.context,
  );
}

function endSpan(span: Span, operation: Operation): void {
  if (span.isRecording()) {
    if (operation.kind === "http.server" && operation.request?.route !== undefined)
      span.updateName(spanNameOf(operation));
    describeEnd(operation, span);
    if (operation.errorType !== undefined) {
      span.setStatus({ code: SpanStatusCode.ERROR, ...errorMessageOf(operation) });
    }
  }
  span.end(toEpochMs(operation.endMs));
}
