import {
  type Attributes,
  type AttributeValue,
  type Exception,
  type HrTime,
  type Link,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
  TraceFlags,
} from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import { describeEnd, type Operation, startAttributesOf } from "@telltale/core";
import { BoundedAttributes, isSimpleValue } from "./attributes.js";
import { complain, nameOf, noteFailure } from "./failures.js";
import { exceptionAttributes, listOf, readStatus } from "./given.js";
import type { HeldRequest } from "./held-request.js";
import type { Pipeline, Scope } from "./pipeline.js";
import type { KeepReason } from "./tail-keep.js";
import { durationOf, hrTimeOf, isTimeInput, type Moment, momentOf } from "./time.js";
import { type TraceIdentity, toHex } from "./trace-identity.js";

/** Who a span descends from. */
export interface Parent {
  readonly trace: TraceIdentity;
  readonly id1: number;
  readonly id2: number;
  readonly sampled: boolean;
  readonly isRemote: boolean;
}

/** What a kept span says of itself: it is no part of the sample, so nobody may count it for others that were left out. */
export const KEPT = "telltale.kept";
export const MISSING_SPANS = "telltale.kept.missing_spans";

const OPEN = 0;
/** Ended for the app, while processors may still change it. */
const ENDING = 1;
const ENDED = 2;

/** What few spans have. */
export class Extras {
  events: TimedEvent[] = [];
  links: Link[] = [];
  droppedEvents = 0;
  droppedLinks = 0;
  /** Of the parent, where a sampler has changed it; null for none. */
  parentState: TraceIdentity["state"] | null = undefined;
}

/**
 * A span of the engine: what the API promises, and what the SDK's processors and exporters read. Hexadecimal ids, attribute objects
 * and times as pairs are made when somebody asks for them; most spans are encoded without.
 *
 * The fields are the engine's own; users see the interfaces.
 */
export class EngineSpan implements Span, ReadableSpan, Parent {
  readonly pipeline: Pipeline;
  readonly scope: Scope;
  name: string;
  readonly kind: SpanKind;
  readonly trace: TraceIdentity;
  readonly id1: number;
  readonly id2: number;
  /** The parent's id; both are 0 where there is none. */
  readonly parent1: number;
  readonly parent2: number;
  readonly isParentSampled: boolean;
  readonly isParentRemote: boolean;
  /** What the sampler said, and what those who are called are told. */
  readonly sampled: boolean;
  recording: boolean;
  private phase: typeof OPEN | typeof ENDING | typeof ENDED = OPEN;
  readonly startMoment: Moment;
  endMoment: Moment = 0;
  statusCode: SpanStatusCode = SpanStatusCode.UNSET;
  statusMessage: string | undefined = undefined;
  /** What is known of the call that this is the span of; its attributes are written when it ends. */
  operation: Operation | undefined = undefined;
  /** Attributes that somebody has set, or asked for; undefined while there are those of the operation only. */
  bounded: BoundedAttributes | undefined = undefined;
  extras: Extras | undefined = undefined;
  /** The request that decides whether this span is exported, where the sampler has said no. */
  held: HeldRequest | undefined = undefined;
  private context: SpanContext | undefined = undefined;

  constructor(
    pipeline: Pipeline,
    scope: Scope,
    name: string,
    kind: SpanKind,
    parent: Parent | undefined,
    trace: TraceIdentity,
    id1: number,
    id2: number,
    startMoment: Moment,
    sampled: boolean,
    recording: boolean,
  ) {
    this.pipeline = pipeline;
    this.scope = scope;
    this.name = typeof name === "string" ? name : nameOf(name);
    this.kind = kind;
    this.trace = trace;
    this.id1 = id1;
    this.id2 = id2;
    this.parent1 = parent === undefined ? 0 : parent.id1;
    this.parent2 = parent === undefined ? 0 : parent.id2;
    this.isParentSampled = parent !== undefined && parent.sampled;
    this.isParentRemote = parent !== undefined && parent.isRemote;
    this.startMoment = startMoment;
    this.sampled = sampled;
    this.recording = recording;
    if (parent !== undefined && parent.trace.state !== trace.state)
      this.rare().parentState = parent.trace.state ?? null;
  }

  /** Spans of this process are no remote parents. */
  get isRemote(): boolean {
    return false;
  }

  spanContext(): SpanContext {
    return (this.context ??= {
      traceId: this.trace.hex,
      spanId: toHex(this.id1) + toHex(this.id2),
      traceFlags: this.sampled || this.kept ? TraceFlags.SAMPLED : TraceFlags.NONE,
      ...(this.trace.state !== undefined && { traceState: this.trace.state }),
    });
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (this.isWritable()) this.own().set(key, value);
    return this;
  }

  setAttributes(attributes: Attributes): this {
    if (this.isWritable()) this.own().setAll(attributes, false);
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (!this.isWritable()) return this;
    try {
      this.keepEvent(name, attributesOrTime, time);
    } catch (error) {
      noteFailure("span", error);
    }
    return this;
  }

  private keepEvent(
    name: string,
    attributesOrTime: Attributes | TimeInput | undefined,
    time: TimeInput | undefined,
  ): void {
    const extras = this.rare();
    const limit = this.pipeline.limits.eventCountLimit;
    if (limit === 0) {
      extras.droppedEvents++;
      return;
    }
    if (extras.events.length >= limit) {
      extras.events.shift();
      extras.droppedEvents++;
    }
    const timeGiven = isTimeInput(attributesOrTime);
    const moment = momentOf(isTimeInput(time) ? time : timeGiven ? attributesOrTime : undefined);
    const event: TimedEvent = { name, time: hrTimeOf(moment) };
    if (!timeGiven && typeof attributesOrTime === "object" && attributesOrTime !== null) {
      const bounded = new BoundedAttributes(this.pipeline.eventLimits, isSimpleValue);
      bounded.setAll(attributesOrTime, true);
      event.attributes = bounded.values;
      event.droppedAttributesCount = bounded.dropped;
    }
    extras.events.push(event);
  }

  addLink(link: Link): this {
    if (this.isWritable()) this.keepLink(link);
    return this;
  }

  private keepLink(link: Link): void {
    const extras = this.rare();
    const limit = this.pipeline.limits.linkCountLimit;
    if (limit === 0) {
      extras.droppedLinks++;
      return;
    }
    if (extras.links.length >= limit) {
      extras.links.shift();
      extras.droppedLinks++;
    }
    extras.links.push(this.pipeline.cleanLink(link));
  }

  addLinks(links: Link[]): this {
    for (const link of listOf(links)) this.addLink(link);
    return this;
  }

  setStatus(status: SpanStatus): this {
    const { code, message } = readStatus(status);
    // OK is final, nothing goes back to unset, and there is no other code.
    if (code !== SpanStatusCode.OK && code !== SpanStatusCode.ERROR) return this;
    if (!this.isWritable() || this.statusCode === SpanStatusCode.OK) return this;
    this.statusCode = code;
    this.statusMessage = undefined;
    if (code === SpanStatusCode.ERROR && message !== undefined && message !== null) {
      if (typeof message === "string") this.statusMessage = message;
      else complain("warn", `Invalid status message of type ${typeof message}, expected a string`);
    }
    return this;
  }

  updateName(name: string): this {
    if (this.isWritable()) this.name = typeof name === "string" ? name : nameOf(name);
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const attributes = exceptionAttributes(exception);
    if (attributes["exception.type"] || attributes["exception.message"]) this.addEvent("exception", attributes, time);
    else complain("warn", "An exception without a name and a message is not recorded");
  }

  isRecording(): boolean {
    return this.recording;
  }

  end(endTime?: TimeInput): void {
    // A processor's `onEnding` may end it again.
    if (this.phase !== OPEN) {
      complain("error", `${this.name}: end() was called on a span that has ended`);
      return;
    }
    if (!this.recording) return;
    // The app ends a span that is not its own: what is known of its call by now is the same in both engines.
    if (this.operation !== undefined) this.own();
    this.endAt(momentOf(endTime));
  }

  /** Links given at the start; of too many the last ones stay. */
  startWith(given: readonly Link[]): void {
    const links = listOf(given);
    const { linkCountLimit } = this.pipeline.limits;
    const first = Math.max(0, links.length - linkCountLimit);
    const extras = this.rare();
    extras.droppedLinks = first;
    for (const link of links.slice(first)) extras.links.push(this.pipeline.cleanLink(link));
  }

  /** Ends the span: processors hear it, and the exporter gets it. */
  endAt(moment: Moment): void {
    this.phase = ENDING;
    this.endMoment = moment;
    if (isEarlier(moment, this.startMoment)) {
      complain("warn", `${this.name}: the end is earlier than the start; the duration is set to 0`);
      this.endMoment = this.startMoment;
    }
    this.pipeline.ending(this);
    this.recording = false;
    this.phase = ENDED;
    this.pipeline.ended(this);
  }

  /** Ends a span of an operation that nobody gets to see. */
  discardAt(moment: Moment): void {
    this.endMoment = moment;
    this.recording = false;
    this.phase = ENDED;
  }

  /** Tells an ended span that it is exported; from here on its context says that it is sampled, which exporters go by. */
  keep(reason: KeepReason): void {
    this.context = undefined;
    // The limit on attributes is for those of the app.
    if (this.bounded === undefined && this.pipeline.processors.length === 0) return;
    const { values } = this.own();
    values[KEPT] = reason;
    if (this.missingSpans > 0) values[MISSING_SPANS] = this.missingSpans;
  }

  /** Whether it is exported although it was not sampled. */
  get kept(): boolean {
    return this.held !== undefined && this.held.isKept && this.phase === ENDED;
  }

  /** Spans of its request that are not exported with it; the request's first span says how many. */
  get missingSpans(): number {
    return this.held?.root === this ? this.held.missing : 0;
  }

  /** Whether it is exported, as far as that is known now: see `isExported` in core. */
  isExported(): boolean {
    const { held, operation } = this;
    if (this.sampled || held === undefined) return this.sampled;
    // Metrics hear the end of an operation before the listener that makes spans does.
    if (this.recording && operation !== undefined && operation.endMs !== 0) held.wants(this, operation.endMs);
    return held.isKept;
  }

  /** See `keepForFinding` in core. */
  keepForFinding(): boolean {
    return this.held === undefined ? this.sampled : this.held.found();
  }

  /** The same, for what was called from here and has no span yet. */
  keepCalled(operation: Operation): boolean {
    return this.held?.foundIn(operation, this) === true;
  }

  // What the SDK's processors and exporters read.

  get ended(): boolean {
    return this.phase === ENDED;
  }

  get parentSpanContext(): SpanContext {
    if (this.parent1 === 0 && this.parent2 === 0) return NO_PARENT;
    const parentState = this.extras?.parentState;
    const state = parentState === undefined ? this.trace.state : parentState;
    return {
      traceId: this.trace.hex,
      spanId: toHex(this.parent1) + toHex(this.parent2),
      traceFlags: this.isParentSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      ...(this.isParentRemote && { isRemote: true }),
      ...(state && { traceState: state }),
    };
  }

  get startTime(): HrTime {
    return hrTimeOf(this.startMoment);
  }

  get endTime(): HrTime {
    return this.phase === OPEN ? [0, 0] : hrTimeOf(this.endMoment);
  }

  get duration(): HrTime {
    return this.phase === OPEN ? [-1, -1] : durationOf(this.startMoment, this.endMoment);
  }

  get status(): SpanStatus {
    return this.statusMessage === undefined
      ? { code: this.statusCode }
      : { code: this.statusCode, message: this.statusMessage };
  }

  get attributes(): Attributes {
    return this.own().values;
  }

  get links(): Link[] {
    return this.extras?.links ?? [];
  }

  get events(): TimedEvent[] {
    return this.extras?.events ?? [];
  }

  get resource(): Resource {
    return this.pipeline.resource;
  }

  get instrumentationScope(): Scope {
    return this.scope;
  }

  get droppedAttributesCount(): number {
    return this.bounded?.dropped ?? 0;
  }

  get droppedEventsCount(): number {
    return this.extras?.droppedEvents ?? 0;
  }

  get droppedLinksCount(): number {
    return this.extras?.droppedLinks ?? 0;
  }

  /** What `console.log(span)` shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): object {
    const { name, kind, parentSpanContext, status, startTime, endTime, duration, ended } = this;
    const { attributes, events, links, instrumentationScope } = this;
    const spanContext = this.spanContext();
    const times = { startTime, endTime, duration, ended };
    return {
      name,
      kind,
      spanContext,
      parentSpanContext,
      status,
      ...times,
      attributes,
      events,
      links,
      instrumentationScope,
    };
  }

  private isWritable(): boolean {
    if (this.ended) complain("warn", `${this.name}: a span that has ended cannot be changed`);
    return this.recording;
  }

  private own(): BoundedAttributes {
    if (this.bounded !== undefined) return this.bounded;
    const bounded = new BoundedAttributes(this.pipeline.attributeLimits);
    const { operation } = this;
    if (operation !== undefined) {
      bounded.setAll(startAttributesOf(operation), false);
      // Its call has ended it, and nobody had asked for a set that the end would have been added to.
      if (this.ended) describeEnd(operation, { setAttribute: (name, value) => bounded.set(name, value) });
    }
    return (this.bounded = bounded);
  }

  private rare(): Extras {
    return (this.extras ??= new Extras());
  }
}

/** The interface's property is optional, which a getter cannot be. */
const NO_PARENT = undefined as unknown as SpanContext;

function isEarlier(end: Moment, start: Moment): boolean {
  if (typeof end === "number" && typeof start === "number") return end < start;
  return durationOf(start, end)[0] < 0;
}
