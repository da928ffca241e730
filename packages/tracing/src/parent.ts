import { type Context, SpanKind, trace } from "@opentelemetry/api";
import { spanOf } from "@telltale/core";
import type { HeldRequest } from "./held-request.js";
import { type Pipeline, sampledOut } from "./pipeline.js";
import type { TraceSampler } from "./samplers.js";
import { EngineSpan, type Parent } from "./span.js";
import { fromHex, type TraceIdentity, traceOf } from "./trace-identity.js";

/** The parent that a context names: a span of this process, or a valid span context from elsewhere. */
export function parentOf(parent: Context): Parent | undefined {
  const span = spanOf(parent);
  if (span === undefined || span instanceof EngineSpan) return span;
  const spanContext = span.spanContext();
  if (!trace.isSpanContextValid(spanContext)) return undefined;
  const { traceId, spanId, traceFlags, traceState, isRemote } = spanContext;
  return {
    // Some set it to null.
    trace: traceOf(traceId, typeof traceState?.serialize === "function" ? traceState : undefined),
    id1: fromHex(spanId, 0),
    id2: fromHex(spanId, 8),
    sampled: (traceFlags & 1) === 1,
    isRemote: isRemote === true,
  };
}

/** Whether a sampler that looks at the trace alone keeps a span. */
export function isKept(sampler: TraceSampler, parent: Parent | undefined, identity: TraceIdentity): boolean {
  return parent !== undefined && sampler.followsParent ? parent.sampled : sampler.keeps(identity);
}

/**
 * Where a span that is not sampled waits: with its parent in this process, or as the first of a request or of other work that is traced by
 * hand. Undefined when it is not recorded, which is counted. A query or a sent request that belongs to nothing does not wait.
 */
export function heldFor(
  pipeline: Pipeline,
  parent: Parent | undefined,
  kind: SpanKind,
  startMs: number,
): HeldRequest | undefined {
  const { tailKeep } = pipeline;
  let held: HeldRequest | undefined;
  if (tailKeep !== undefined) {
    if (parent instanceof EngineSpan) held = parent.held;
    else if (kind !== SpanKind.CLIENT && kind !== SpanKind.PRODUCER)
      held = tailKeep.begin(startMs, kind === SpanKind.SERVER);
    if (held !== undefined) return held.admit();
  }
  sampledOut.total++;
  return undefined;
}

/** Makes a span one that waits. */
export function hold(span: EngineSpan, held: HeldRequest): void {
  span.held = held;
  held.root ??= span;
}
