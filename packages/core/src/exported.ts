import type { Span } from "@opentelemetry/api";
import { spanOf } from "./context.js";
import type { Operation } from "./operation.js";

/** What a span can say whose trace may be decided on late. */
interface LateSpan extends Span {
  isExported?(): boolean;
  keepForFinding?(): boolean;
  keepCalled?(operation: Operation): boolean;
}

/** Whether a span is exported, as far as that is known now: what names any other one leads nowhere. */
export function isExported(span: LateSpan): boolean {
  if (span.isExported !== undefined) return span.isExported();
  // Cheaper than its context, which a span that is not sampled would be asked for again and again.
  return span.isRecording() && span.spanContext().traceFlags % 2 === 1;
}

/**
 * Wants the trace of what a finding is about exported, where that is still open. True when it is; false when the finding's trace id
 * leads nowhere.
 */
export function keepForFinding(operation: Operation): boolean {
  const { span } = operation;
  if (span === undefined) {
    // A query whose request is not decided on has no span: it gets one now, for the finding to name.
    const caller = spanOf(operation.context) as LateSpan | undefined;
    return caller?.keepCalled?.(operation) === true;
  }
  const { keepForFinding: keep } = span as LateSpan;
  return keep === undefined ? span.spanContext().traceFlags % 2 === 1 : keep.call(span);
}
