import { performance } from "node:perf_hooks";
import { SpanStatusCode } from "@opentelemetry/api";
import { counterOf, type DatabaseOperation, type InLine, type Operation, spanOf } from "@telltale/core";
import { noteFailure } from "./failures.js";
import { endOperationSpan, makeLateSpan } from "./operation-span.js";
import { sampledOut } from "./pipeline.js";
import { EngineSpan } from "./span.js";
import type { KeepReason, TailKeep } from "./tail-keep.js";
import { OPERATION_BYTES, weigh } from "./weigh.js";

/** Of requests that a bound gave up, kept or not. */
const givenUp = counterOf("telltale.spans", "telltale.outcome", "given_up");

const OPEN = 0;
const KEPT = 1;
const DROPPED = 2;

/** What is held of one request. It is decided on as soon as something speaks for it, at the latest when its first span ends. */
export class HeldRequest implements InLine<HeldRequest> {
  private readonly keep: TailKeep;
  private readonly slowAtMs: number;
  private state: typeof OPEN | typeof KEPT | typeof DROPPED = OPEN;
  /** The span that it began with. */
  root: EngineSpan | undefined = undefined;
  /** Why it is exported; undefined while it is not. */
  reason: KeepReason | undefined = undefined;
  /** Spans that were let in, and the weight of those that have ended. */
  spans = 0;
  bytes = 0;
  /** Spans beyond the bound. */
  missing = 0;
  /** What has ended, in that order; queries without their spans. */
  private ended: (EngineSpan | DatabaseOperation)[] | undefined = undefined;
  before: HeldRequest | undefined = undefined;
  after: HeldRequest | undefined = undefined;

  constructor(keep: TailKeep, slowAtMs: number) {
    this.keep = keep;
    this.slowAtMs = slowAtMs;
  }

  /**
   * Lets a span in that starts; undefined when it is not to be recorded, which is counted. By their starts, so that whoever is let in has
   * a parent that was; queries, which are nobody's parents, when they end.
   */
  admit(): this | undefined {
    const { keep } = this;
    if (this.state === DROPPED) {
      sampledOut.total++;
      return undefined;
    }
    if (this.spans >= keep.options.maxRequestSpans) {
      this.missing++;
      givenUp.total++;
      return undefined;
    }
    this.spans++;
    if (this.state === OPEN && ++keep.spans > keep.options.maxSpans) keep.makeRoom();
    // It may itself have been the oldest.
    return this.isDropped ? undefined : this;
  }

  /** Whether a query may do without a span until it ends. */
  get waits(): boolean {
    return this.state !== KEPT || this.spans >= this.keep.options.maxRequestSpans;
  }

  get isKept(): boolean {
    return this.state === KEPT;
  }

  private get isDropped(): boolean {
    return this.state === DROPPED;
  }

  /** Decides, as far as a span that ends allows it; false when what it belongs to is not exported. */
  wants(span: EngineSpan, endMs: number): boolean {
    if (this.state === OPEN) {
      const isRoot = span === this.root;
      if (isRoot && hasFailed(span) && this.keep.options.reasons.includes("error")) this.settle("error");
      else if (endMs >= this.slowAtMs) this.settle("slow");
      else if (isRoot) this.drop(sampledOut);
    }
    return !this.isDropped;
  }

  /** Something was found in it; true when it is exported. */
  found(): boolean {
    if (this.state === OPEN && this.keep.options.reasons.includes("finding")) this.settle("finding");
    return this.isKept;
  }

  /** Something was found in a call that has no span; true when that is exported, and has one. */
  foundIn(operation: Operation, caller: EngineSpan): boolean {
    if (!this.found() || operation.kind !== "database") return false;
    // A query that waited has one by now.
    if (operation.span !== undefined) return true;
    if (this.admit() === undefined) return false;
    makeLateSpan(operation, caller);
    return true;
  }

  /** Takes a query that has ended without a span; true when that must wait, and false when it is to be exported. */
  takesOperation(operation: DatabaseOperation): boolean {
    if (this.state === OPEN && operation.endMs >= this.slowAtMs) this.settle("slow");
    if (this.state !== OPEN) return this.isDropped;
    // The values of a query may be of any size, and nobody asks for them any more.
    operation.text = undefined;
    operation.parameters = undefined;
    this.add(operation, OPERATION_BYTES);
    return true;
  }

  /** Takes a span that has ended; true when that must wait. */
  takes(span: EngineSpan): boolean {
    const { endMoment } = span;
    if (!this.wants(span, typeof endMoment === "number" ? endMoment : performance.now())) return false;
    if (this.reason !== undefined) {
      span.keep(this.reason);
      return false;
    }
    this.add(span, weigh(span));
    return true;
  }

  private add(one: EngineSpan | DatabaseOperation, bytes: number): void {
    (this.ended ??= NOTHING.slice()).push(one);
    this.bytes += bytes;
    this.keep.bytes += bytes;
    if (this.keep.bytes > this.keep.options.maxBytes) this.keep.makeRoom();
  }

  /** Forgets it for want of room or time, unless it is known to be slow. */
  giveUp(): void {
    if (performance.now() >= this.slowAtMs) this.settle("slow");
    else this.drop(givenUp);
  }

  private settle(reason: KeepReason): void {
    if (!this.keep.allows()) {
      this.drop(givenUp);
      return;
    }
    this.state = KEPT;
    this.reason = reason;
    this.keep.remove(this);
    this.release();
  }

  private drop(outcome: { total: number }): void {
    this.state = DROPPED;
    outcome.total += this.spans;
    this.keep.remove(this);
    this.release();
  }

  /** Lets go of what was held. */
  private release(): void {
    const { ended, reason } = this;
    this.ended = undefined;
    if (ended === undefined) return;
    for (const one of ended) {
      try {
        if (one instanceof EngineSpan) finish(one, reason);
        else if (reason !== undefined) exportQuery(one);
      } catch (error) {
        // Whoever asked whether it is exported is not to blame, and what comes after is exported all the same.
        noteFailure("span", error);
      }
    }
  }
}

function finish(span: EngineSpan, reason: KeepReason | undefined): void {
  if (reason !== undefined) span.keep(reason);
  span.pipeline.finish(span);
}

function exportQuery(query: DatabaseOperation): void {
  const parent = spanOf(query.context);
  if (parent instanceof EngineSpan) endOperationSpan(makeLateSpan(query, parent), query);
}

/** Copied, because V8 may come to make an array literal in a hot function in old space, where it outlives its request. */
const NOTHING: (EngineSpan | DatabaseOperation)[] = [];

function hasFailed({ statusCode, operation }: EngineSpan): boolean {
  return statusCode === SpanStatusCode.ERROR || operation?.errorType !== undefined;
}
