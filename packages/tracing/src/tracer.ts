import { performance } from "node:perf_hooks";
import { inspect } from "node:util";
import {
  context,
  type Context,
  INVALID_SPAN_CONTEXT,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { SamplingResult } from "@opentelemetry/sdk-trace";
import { isSuppressed, withSpan } from "@telltale/core";
import { BoundedAttributes, NO_LIMITS } from "./attributes.js";
import { noteFailure } from "./failures.js";
import { listOf } from "./given.js";
import type { HeldRequest } from "./held-request.js";
import { heldFor, hold, isKept, parentOf } from "./parent.js";
import { type Pipeline, sampledOut, type Scope } from "./pipeline.js";
import { TraceSampler } from "./samplers.js";
import { EngineSpan } from "./span.js";
import { momentOf } from "./time.js";
import { fromHex, newTrace, randomWord, traceOf } from "./trace-identity.js";

/** The sampler's values of `SamplingDecision`. */
const DROP = 0;
const KEEP = 2;
const DECISIONS = new Set<unknown>([DROP, 1, KEEP]);

export class EngineTracer implements Tracer {
  private readonly pipeline: Pipeline;
  private readonly scope: Scope;

  constructor(pipeline: Pipeline, scope: Scope) {
    this.pipeline = pipeline;
    this.scope = scope;
  }

  startSpan(name: string, options?: SpanOptions, parentContext: Context = context.active()): Span {
    try {
      return this.make(name, options ?? {}, parentContext ?? ROOT_CONTEXT);
    } catch (error) {
      // What the app gives may throw when it is read; without an SDK nobody would read it.
      noteFailure("span", error);
      return this.make(name, {}, ROOT_CONTEXT);
    }
  }

  private make(name: string, options: SpanOptions, parentContext: Context): Span {
    const from = options.root === true ? trace.deleteSpan(parentContext) : parentContext;
    if (isSuppressed(from)) return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
    const pipeline = this.pipeline;
    const { sampler, ids } = pipeline;
    const parent = parentOf(from);
    const spanId = ids?.generateSpanId();
    const kind = options.kind ?? SpanKind.INTERNAL;
    let identity = parent?.trace ?? (ids === undefined ? newTrace() : traceOf(ids.generateTraceId(), undefined));
    let sampled: boolean;
    let recording: boolean;
    let attributes: BoundedAttributes | undefined;
    let held: HeldRequest | undefined;
    if (sampler instanceof TraceSampler) {
      sampled = isKept(sampler, parent, identity);
      if (!sampled) held = heldFor(pipeline, parent, kind, performance.now());
      recording = sampled || held !== undefined;
      if (recording && options.attributes !== undefined) {
        attributes = new BoundedAttributes(pipeline.attributeLimits);
        attributes.setAll(options.attributes, true);
      }
    } else {
      const offered = new BoundedAttributes(NO_LIMITS);
      offered.setAll(options.attributes, true);
      const links = listOf(options.links).map((link) => pipeline.cleanLink(link));
      const result = this.ask(from, identity.hex, name, kind, offered, links);
      sampled = result.decision === KEEP;
      recording = result.decision !== DROP;
      if (!recording) sampledOut.total++;
      if (result.traceState !== undefined) identity = identity.with(result.traceState);
      attributes = new BoundedAttributes(pipeline.attributeLimits);
      attributes.setAll(result.attributes, true);
      attributes.dropped += offered.dropped;
    }
    const span = new EngineSpan(
      pipeline,
      this.scope,
      name,
      kind,
      parent,
      identity,
      spanId === undefined ? randomWord() : fromHex(spanId, 0),
      spanId === undefined ? randomWord() : fromHex(spanId, 8),
      recording ? momentOf(options.startTime) : 0,
      sampled,
      recording,
    );
    if (!recording) return span;
    if (held !== undefined) hold(span, held);
    span.bounded = attributes;
    if (options.links) span.startWith(options.links);
    pipeline.started(span, from);
    return span;
  }

  startActiveSpan<F extends (span: Span) => unknown>(name: string, ...rest: unknown[]): ReturnType<F> {
    // As the API does it where there is no SDK.
    if (rest.length === 0) return undefined as ReturnType<F>;
    const fn = rest.pop() as F;
    const [options, given] = rest as [SpanOptions?, Context?];
    const parent = given ?? context.active();
    const span = this.startSpan(name, options, parent);
    return context.with(withSpan(parent, span), fn as (span: Span) => ReturnType<F>, undefined, span);
  }

  /** A sampler that fails is nobody's reason to lose a trace. */
  private ask(
    from: Context,
    traceId: string,
    name: string,
    kind: SpanKind,
    offered: BoundedAttributes,
    links: NonNullable<SpanOptions["links"]>,
  ): SamplingResult {
    try {
      const result = this.pipeline.sampler.shouldSample(from, traceId, name, kind, offered.values, links);
      if (typeof result === "object" && result !== null && DECISIONS.has(result.decision)) {
        const { decision, attributes, traceState } = result;
        return {
          decision,
          attributes: { ...offered.values, ...attributes },
          // Some set it to null.
          ...(typeof traceState?.serialize === "function" && { traceState }),
        };
      }
      throw new TypeError(`a SamplingResult with a decision of 0 to 2 expected, got ${inspect(result)}`);
    } catch (error) {
      noteFailure("sampler", error);
      return { decision: KEEP, attributes: offered.values };
    }
  }
}
