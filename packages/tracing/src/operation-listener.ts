import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { type Listener, type Operation, describeEnd, spanKindOf, spanNameOf } from "@telltale/core";
import type { Pipeline, Scope } from "./pipeline.js";
import type { TraceSampler } from "./samplers.js";
import { EngineSpan } from "./span.js";
import { isKept, parentOf } from "./tracer.js";
import { newTrace, randomWord } from "./trace-identity.js";

/**
 * Makes spans of operations without their attributes: those are read from the operation when the span is encoded. It must be the last
 * listener, because what the others note on an operation is written to its span when that ends.
 */
export function createOperationListener(pipeline: Pipeline, sampler: TraceSampler, scope: Scope): Listener {
  return {
    name: "spans",
    operationStarted(operation) {
      const parent = parentOf(operation.context);
      const identity = parent?.trace ?? newTrace();
      const kept = isKept(sampler, parent, identity);
      if (!kept) {
        pipeline.sampledOut();
        // What is called from here on must know that the trace is not kept, unless the parent says so already; a query or a sent request
        // is nobody's parent.
        if (operation.kind !== "http.server" && parent !== undefined && !parent.sampled) return;
      }
      const span = new EngineSpan(
        pipeline,
        scope,
        spanNameOf(operation),
        spanKindOf(operation),
        parent,
        identity,
        randomWord(),
        randomWord(),
        operation.startMs,
        kept,
        kept,
      );
      if (kept) span.operation = operation;
      operation.span = span;
    },
    operationEnded(operation) {
      const { span } = operation;
      if (span instanceof EngineSpan && span.recording) end(span, operation);
    },
  };
}

function end(span: EngineSpan, operation: Operation): void {
  if (span.kind === SpanKind.SERVER && operation.request?.route !== undefined) span.name = spanNameOf(operation);
  // Attributes that others add may be those that it has already, so they need a set; and where somebody has set or read attributes of the
  // span there is one, which the end must be added to.
  if (span.bounded !== undefined || operation.attributes !== undefined) describeEnd(operation, span);
  if (operation.errorType !== undefined) {
    const { error } = operation;
    span.setStatus({ code: SpanStatusCode.ERROR, ...(error instanceof Error && { message: error.message }) });
  }
  span.endAt(operation.endMs);
}
