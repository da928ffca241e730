import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import {
  type DatabaseOperation,
  describeEnd,
  errorMessageOf,
  type Operation,
  spanKindOf,
  spanNameOf,
} from "@telltale/core";
import type { Pipeline } from "./pipeline.js";
import { EngineSpan, type Parent } from "./span.js";
import { hold } from "./parent.js";
import { randomWord, type TraceIdentity } from "./trace-identity.js";

export function startOperationSpan(
  pipeline: Pipeline,
  operation: Operation,
  parent: Parent | undefined,
  identity: TraceIdentity,
  sampled: boolean,
  recording: boolean,
): EngineSpan {
  const span = new EngineSpan(
    pipeline,
    pipeline.operationScope,
    spanNameOf(operation),
    spanKindOf(operation),
    parent,
    identity,
    randomWord(),
    randomWord(),
    operation.startMs,
    sampled,
    recording,
  );
  if (recording) span.operation = operation;
  operation.span = span;
  return span;
}

export function endOperationSpan(span: EngineSpan, operation: Operation): void {
  if (span.kind === SpanKind.SERVER && operation.request?.route !== undefined) span.name = spanNameOf(operation);
  // Attributes that others add may be those that it has already, so they need a set; and where somebody has set or read attributes of the
  // span there is one, which the end must be added to.
  if (span.bounded !== undefined || operation.attributes !== undefined) describeEnd(operation, span);
  if (operation.errorType !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR, ...errorMessageOf(operation) });
  }
  span.endAt(operation.endMs);
}

/** The span of a query in a request that is exported, made late: most queries of a request that is held never need one. */
export function makeLateSpan(operation: DatabaseOperation, parent: EngineSpan): EngineSpan {
  const span = startOperationSpan(parent.pipeline, operation, parent, parent.trace, false, true);
  if (parent.held !== undefined) hold(span, parent.held);
  return span;
}
