import { type Context, diag, INVALID_SPAN_CONTEXT, type Link } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { IdGenerator, Sampler, SpanLimits, SpanProcessor } from "@opentelemetry/sdk-trace";
import { counterOf } from "@telltale/core";
import { type AttributeLimits, BoundedAttributes } from "./attributes.js";
import { noteFailure } from "./failures.js";
import type { SpanExport } from "./span-export.js";
import type { EngineSpan } from "./span.js";
import type { TailKeep } from "./tail-keep.js";

/** An instrumentation scope, as `getTracer` names it. */
export interface Scope {
  readonly name: string;
  readonly version?: string;
  readonly schemaUrl?: string;
}

/** What all tracers of a provider share, and the way that their spans take. */
export class Pipeline {
  readonly resource: Resource;
  readonly sampler: Sampler;
  readonly ids: IdGenerator | undefined;
  readonly limits: Required<SpanLimits>;
  readonly attributeLimits: AttributeLimits;
  readonly eventLimits: AttributeLimits;
  readonly linkLimits: AttributeLimits;
  readonly processors: readonly SpanProcessor[];
  readonly export: SpanExport | undefined;
  readonly tailKeep: TailKeep | undefined;
  /** The scope of spans that are made of operations without the API. */
  operationScope: Scope = { name: "" };

  constructor(
    resource: Resource,
    sampler: Sampler,
    ids: IdGenerator | undefined,
    limits: Required<SpanLimits>,
    processors: readonly SpanProcessor[],
    spanExport: SpanExport | undefined,
    tailKeep: TailKeep | undefined,
  ) {
    this.resource = resource;
    this.sampler = sampler;
    this.ids = ids;
    this.limits = limits;
    const valueLength = limits.attributeValueLengthLimit;
    this.attributeLimits = { count: limits.attributeCountLimit, valueLength };
    this.eventLimits = { count: limits.attributePerEventCountLimit, valueLength };
    this.linkLimits = { count: limits.attributePerLinkCountLimit, valueLength };
    this.processors = processors;
    this.export = spanExport;
    this.tailKeep = tailKeep;
  }

  started(span: EngineSpan, parent: Context): void {
    for (const processor of this.processors) {
      try {
        processor.onStart(span, parent);
      } catch (error) {
        processorFailed(processor, error);
      }
    }
  }

  ending(span: EngineSpan): void {
    for (const processor of this.processors) {
      try {
        processor.onEnding?.(span);
      } catch (error) {
        processorFailed(processor, error);
      }
    }
  }

  ended(span: EngineSpan): void {
    if (span.held?.takes(span) !== true) this.finish(span);
  }

  /** The end of a span's way here: processors hear it, and the exporter gets it if it is to be exported. */
  finish(span: EngineSpan): void {
    for (const processor of this.processors) {
      try {
        processor.onEnd(span);
      } catch (error) {
        processorFailed(processor, error);
      }
    }
    if (!span.sampled && !span.kept) return;
    try {
      this.export?.add(span);
    } catch (error) {
      noteFailure("span export", error);
    }
  }

  /** A copy within the limits; a link without a span's context, which TypeScript forbids, leads nowhere. */
  cleanLink(link: Link | null | undefined): Link {
    try {
      return this.copyLink(link);
    } catch (error) {
      noteFailure("span", error);
      return { context: INVALID_SPAN_CONTEXT };
    }
  }

  private copyLink(link: Link | null | undefined): Link {
    const { attributes } = link ?? {};
    const context = typeof link?.context?.traceId === "string" ? link.context : INVALID_SPAN_CONTEXT;
    if (typeof attributes !== "object" || attributes === null) return { context };
    const bounded = new BoundedAttributes(this.linkLimits);
    bounded.setAll(attributes, true);
    return { context, attributes: bounded.values, droppedAttributesCount: bounded.dropped };
  }
}

export const sampledOut = counterOf("telltale.spans", "telltale.outcome", "sampled_out");
const DEFAULT_LIMIT = 128;

/** Limits with the specification's defaults; a value length that is not positive counts as none. */
export function fillLimits(limits: SpanLimits = {}): Required<SpanLimits> {
  let valueLength = limits.attributeValueLengthLimit ?? Infinity;
  if (!(valueLength > 0)) {
    diag.warn(`Invalid attributeValueLengthLimit: expected a positive number, got ${valueLength}; it is ignored`);
    valueLength = Infinity;
  }
  return {
    attributeValueLengthLimit: valueLength,
    attributeCountLimit: limits.attributeCountLimit ?? DEFAULT_LIMIT,
    linkCountLimit: limits.linkCountLimit ?? DEFAULT_LIMIT,
    eventCountLimit: limits.eventCountLimit ?? DEFAULT_LIMIT,
    attributePerEventCountLimit: limits.attributePerEventCountLimit ?? DEFAULT_LIMIT,
    attributePerLinkCountLimit: limits.attributePerLinkCountLimit ?? DEFAULT_LIMIT,
  };
}

/** The SDK lets what a processor throws reach the app. */
function processorFailed(processor: SpanProcessor, error: unknown): void {
  noteFailure(
    "span processor",
    error,
    `span processor ${(processor as SpanProcessor | null)?.constructor?.name ?? ""}`,
  );
}
