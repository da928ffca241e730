import type { Link } from "@opentelemetry/api";
import type { TimedEvent } from "@opentelemetry/sdk-trace";
import {
  type DatabaseOperation,
  describeEnd,
  describeRequest,
  describeStart,
  describeWait,
  epochOriginMs,
} from "@telltale/core";
import { type EngineSpan, KEPT, MISSING_SPANS } from "../span.js";
import type { Moment } from "../time.js";
import { fromHex, wordsOf } from "../trace-identity.js";
import { ByteWriter, tagOf } from "./byte-writer.js";
import { encodedAlike, encodedTemplate, hasFractionalWait } from "./encoded-parts.js";
import { SPAN_ATTRIBUTE, SpanAttributeSink } from "./span-attributes.js";

// Fields of `Span` in https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
const FLAG_HAS_IS_REMOTE = 0x100;
const FLAG_IS_REMOTE = 0x200;

/** By the API's kind; one that is none of them is unspecified. */
const KINDS: readonly number[] = [1, 2, 3, 4, 5];

/** Writes spans one after the other as they stand in `ScopeSpans`; about 1 µs for the span of a query. */
export class SpanEncoder {
  readonly writer = new ByteWriter();
  private readonly sink = new SpanAttributeSink(this.writer);

  encode(span: EngineSpan): void {
    const { writer } = this;
    const { trace } = span;
    // The clock is looked at once per batch, and by the time of now: that of a span may lie minutes back.
    if (writer.length === 0) writer.setOrigin(epochOriginMs());
    const start = writer.open(tagOf(2, 2));
    writer.ids(trace, span.id1, span.id2, span.parent1, span.parent2);
    if (trace.state !== undefined) this.traceState(3, trace.state.serialize());
    this.time(tagOf(7, 1), span.startMoment);
    this.time(tagOf(8, 1), span.endMoment);
    this.description(span);
    const { extras } = span;
    if (extras !== undefined) {
      for (const event of extras.events) this.event(event);
      if (extras.droppedEvents > 0) writer.varint(tagOf(12, 0), extras.droppedEvents);
      for (const link of extras.links) this.link(link);
      if (extras.droppedLinks > 0) writer.varint(tagOf(14, 0), extras.droppedLinks);
    }
    if (span.statusCode !== 0) {
      const status = writer.open(tagOf(15, 2));
      if (span.statusMessage !== undefined && span.statusMessage !== "") writer.string(tagOf(2, 2), span.statusMessage);
      writer.varint(tagOf(3, 0), span.statusCode);
      writer.close(status);
    }
    const isRemote = span.isParentRemote ? FLAG_IS_REMOTE : 0;
    writer.fixed32(tagOf(16, 5), (span.sampled || span.kept ? 1 : 0) | FLAG_HAS_IS_REMOTE | isRemote);
    writer.close(start);
  }

  /** Name, kind and attributes. */
  private description(span: EngineSpan): void {
    const { writer } = this;
    const { operation } = span;
    const alike = operation === undefined ? undefined : encodedAlike(span, operation);
    if (alike === undefined) {
      writer.string(tagOf(5, 2), String(span.name));
      writer.varint(tagOf(6, 0), typeof span.kind === "object" ? 0 : (KINDS[span.kind] ?? 0));
      this.attributes(span);
    } else {
      writer.raw(alike);
      if (operation?.kind === "database") this.wait(operation);
      else if (operation?.kind === "http.server") describeRequest(operation, this.sink);
    }
    if (!span.kept || span.bounded !== undefined) return;
    writer.attribute(SPAN_ATTRIBUTE, KEPT, span.held?.reason);
    if (span.missingSpans > 0) writer.attribute(SPAN_ATTRIBUTE, MISSING_SPANS, span.missingSpans);
  }

  private attributes(span: EngineSpan): void {
    const { writer } = this;
    const { bounded, operation } = span;
    if (bounded !== undefined) {
      const { values, dropped } = bounded;
      for (const name of Object.keys(values)) writer.attribute(SPAN_ATTRIBUTE, name, values[name]);
      if (dropped > 0) writer.varint(tagOf(10, 0), dropped);
    } else if (operation !== undefined) {
      if (operation.kind === "database") writer.raw(encodedTemplate(operation.template));
      else describeStart(operation, this.sink);
      describeEnd(operation, this.sink);
    }
  }

  private wait(operation: DatabaseOperation): void {
    if (hasFractionalWait(operation)) this.writer.rawDouble(operation.waitMs);
    else describeWait(operation, this.sink);
  }

  private time(tag: number, moment: Moment): void {
    if (typeof moment === "number") this.writer.ownTime(tag, moment);
    else this.writer.time(tag, moment);
  }

  private traceState(field: number, text: string): void {
    if (text !== "") this.writer.string(tagOf(field, 2), text);
  }

  private event({ time, name, attributes, droppedAttributesCount = 0 }: TimedEvent): void {
    const { writer } = this;
    const start = writer.open(tagOf(11, 2));
    writer.time(tagOf(1, 1), time);
    writer.string(tagOf(2, 2), String(name));
    for (const [key, value] of Object.entries(attributes ?? {})) writer.attribute(tagOf(3, 2), key, value);
    if (droppedAttributesCount > 0) writer.varint(tagOf(4, 0), droppedAttributesCount);
    writer.close(start);
  }

  private link({ context, attributes, droppedAttributesCount = 0 }: Link): void {
    const { writer } = this;
    const { traceId, spanId } = context;
    const start = writer.open(tagOf(13, 2));
    writer.ids(wordsOf(traceId), fromHex(spanId, 0), fromHex(spanId, 8), 0, 0);
    this.traceState(3, context.traceState?.serialize() ?? "");
    for (const [key, value] of Object.entries(attributes ?? {})) writer.attribute(tagOf(4, 2), key, value);
    if (droppedAttributesCount > 0) writer.varint(tagOf(5, 0), droppedAttributesCount);
    const remote = context.isRemote === true ? FLAG_IS_REMOTE : 0;
    writer.fixed32(tagOf(6, 5), (context.traceFlags & 0xff) | FLAG_HAS_IS_REMOTE | remote);
    writer.close(start);
  }
}
