import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { type Listener, type Operation, describeEnd, spanKindOf, spanNameOf } from "@telltale/core";
import type { Pipeline, Scope } from "./pipeline.js";
import type { TraceSampler } from "./samplers.js";
import { EngineSpan } from "./span.js";
import { heldFor, hold, isKept, parentOf } from "./tracer.js";
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
      const kind = spanKindOf(operation);
      const sampled = isKept(sampler, parent, identity);
      const held = sampled ? undefined : heldFor(pipeline, parent, kind, operation.startMs);
      const recorded = sampled || held !== undefined;
      if (!recorded) {
        // What is called from here on must know that the trace is not kept, unless the parent says so already; a query or a sent request
        // is nobody's parent.
        if (operation.kind !== "http.server" && parent !== undefined && !parent.sampled) return;
      }
      const span = new EngineSpan(
        pipeline,
        scope,
        spanNameOf(operation),
        kind,
        parent,
        identity,
        randomWord(),
        randomWord(),
        operation.startMs,
        sampled,
        recorded,
      );
      if (recorded) span.operation = operation;
      if (held !== undefined) hold(span, held);
      operation.span = span;
    },
    operationEnded(operation) {
      const { span } = operation;
      if (!(span instanceof EngineSpan) || !span.recording) return;
      if (span.held === undefined || span.held.wants(span, operation.endMs)) end(span, operation);
      else span.discardAt(operation.endMs);
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
