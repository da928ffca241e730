import type { HrTime } from "@opentelemetry/api";
import type { PageWriter } from "./page-writer.js";

// Fields of protobuf messages: https://protobuf.dev/programming-guides/encoding/

export const VARINT = 0;
const FIXED64 = 1;
export const BYTES = 2;
export const tag = (field: number, type: number): number => (field << 3) | type;

export function writeLabel(writer: PageWriter, name: string, value: string): void {
  writer.byte(tag(1, BYTES));
  const start = writer.open();
  writeText(writer, 1, name);
  writeText(writer, 2, value);
  writer.close(start);
}

export function writeTime(writer: PageWriter, field: number, [seconds, nanos]: HrTime): void {
  writer.byte(tag(field, BYTES));
  const start = writer.open();
  writeCount(writer, 1, seconds);
  writeCount(writer, 2, nanos);
  writer.close(start);
}

export function writeText(writer: PageWriter, field: number, text: string): void {
  writer.byte(tag(field, BYTES));
  const start = writer.open();
  writer.text(text);
  writer.close(start);
}

export function writeDouble(writer: PageWriter, field: number, value: number): void {
  writer.byte(tag(field, FIXED64));
  writer.double(value);
}

export function writeCount(writer: PageWriter, field: number, value: number): void {
  writer.byte(tag(field, VARINT));
  writer.varint(value >= 0 ? Math.floor(value) : 0);
}

/** Small numbers of either sign take few bytes. */
export function writeSigned(writer: PageWriter, value: number): void {
  writer.varint(value < 0 ? -2 * value - 1 : 2 * value);
}
