import type { AttributeSink } from "@telltale/core";
import { type ByteWriter, tagOf } from "./byte-writer.js";

/** The field of `Span` that holds its attributes. */
export const SPAN_ATTRIBUTE = tagOf(9, 2);

/** Writes what is set as attributes of a span. */
export class SpanAttributeSink implements AttributeSink {
  private readonly writer: ByteWriter;

  constructor(writer: ByteWriter) {
    this.writer = writer;
  }

  setAttribute(name: string, value: unknown): void {
    this.writer.attribute(SPAN_ATTRIBUTE, name, value);
  }
}
