import { enter, type Field, type FieldType, MAX_ITEMS, type Message, OtlpError, type Room, take } from "./message.js";

/** Reads a protobuf message as a plain object; fields that the message does not know are passed over. Throws an OtlpError on broken input. */
export function decode(message: Message, bytes: Uint8Array): Record<string, unknown> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return readMessage({ bytes: buffer, at: 0, items: MAX_ITEMS }, message, buffer.length, 0);
}

interface Reader extends Room {
  readonly bytes: Buffer;
  at: number;
}

const VARINT = 0;
const FIXED64 = 1;
const CHUNK = 2;
const FIXED32 = 5;

function readMessage(reader: Reader, message: Message, end: number, depth: number): Record<string, unknown> {
  enter(depth, `byte ${reader.at}`);
  take(reader, 1);
  const result: Record<string, unknown> = {};
  while (reader.at < end) {
    const tag = readVarint(reader, end);
    const wire = tag & 7;
    const field = message.byNumber[Math.floor(tag / 8)];
    if (field === undefined) skip(reader, wire, end);
    else if (field.isList) readElements(reader, field, wire, end, depth, (result[field.name] ??= []) as unknown[]);
    else result[field.name] = readValue(reader, field, wire, end, depth);
  }
  return result;
}

function readElements(reader: Reader, field: Field, wire: number, end: number, depth: number, list: unknown[]): void {
  const type = field.type();
  const own = wireOf(type);
  if (wire !== CHUNK || own === CHUNK) {
    take(reader, 1);
    list.push(readValue(reader, field, wire, end, depth));
    return;
  }
  const packedEnd = readLength(reader, end);
  while (reader.at < packedEnd) {
    take(reader, 1);
    list.push(readValue(reader, field, own, packedEnd, depth));
  }
}

function readValue(reader: Reader, field: Field, wire: number, end: number, depth: number): unknown {
  const type = field.type();
  if (wire !== wireOf(type))
    throw broken(reader, `${field.name} has wire type ${wire}, where ${wireOf(type)} is expected`);
  // Most are one of these two.
  if (typeof type === "object") return readMessage(reader, type, readLength(reader, end), depth + 1);
  if (type === "string") return readText(reader, readLength(reader, end));
  switch (type) {
    case "id": {
      const to = readLength(reader, end);
      const digits = reader.bytes.toString("hex", reader.at, to);
      reader.at = to;
      return digits;
    }
    case "bytes": {
      const to = readLength(reader, end);
      const chunk = reader.bytes.subarray(reader.at, to);
      reader.at = to;
      return chunk;
    }
    case "bool":
      return readVarint(reader, end) !== 0;
    case "uint32":
    case "enum":
    case "varcount":
      return readVarint(reader, end);
    case "sint32": {
      const zigzag = readVarint(reader, end) >>> 0;
      return (zigzag >>> 1) ^ -(zigzag & 1);
    }
    case "int64":
      return readInt64(reader, end);
    case "fixed32":
      return reader.bytes.readUInt32LE(advance(reader, 4, end));
    case "nanos":
      return reader.bytes.readBigUInt64LE(advance(reader, 8, end));
    case "count": {
      const at = advance(reader, 8, end);
      return reader.bytes.readUInt32LE(at) + reader.bytes.readUInt32LE(at + 4) * 2 ** 32;
    }
    case "sfixed64":
      return asNumber(reader.bytes.readBigInt64LE(advance(reader, 8, end)));
    case "double":
      return reader.bytes.readDoubleLE(advance(reader, 8, end));
  }
}

/** Short texts of ASCII take half the time this way. */
const SHORT = 24;

function readText(reader: Reader, to: number): string {
  const { bytes, at } = reader;
  reader.at = to;
  if (to - at > SHORT) return bytes.toString("utf8", at, to);
  let text = "";
  for (let i = at; i < to; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte > 0x7f) return bytes.toString("utf8", at, to);
    text += String.fromCharCode(byte);
  }
  return text;
}

function wireOf(type: FieldType): number {
  if (typeof type === "object" || type === "string") return CHUNK;
  switch (type) {
    case "bool":
    case "uint32":
    case "sint32":
    case "enum":
    case "int64":
    case "varcount":
      return VARINT;
    case "nanos":
    case "count":
    case "sfixed64":
    case "double":
      return FIXED64;
    case "fixed32":
      return FIXED32;
    default:
      return CHUNK;
  }
}

/** Exact to 2 ** 53. */
function readVarint(reader: Reader, end: number): number {
  const { bytes } = reader;
  let value = 0;
  let factor = 1;
  for (let i = 0; i < 10; i += 1) {
    if (reader.at >= end) throw broken(reader, "a number is cut off");
    const byte = bytes[reader.at++] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
    factor *= 128;
  }
  throw broken(reader, "a number has more than 10 bytes");
}

/** A bigint only where a number would not be exact: those take ten times as long. */
function readInt64(reader: Reader, end: number): number | bigint {
  const from = reader.at;
  const value = readVarint(reader, end);
  if (value <= Number.MAX_SAFE_INTEGER) return value;
  let exact = 0n;
  for (let at = reader.at - 1; at >= from; at -= 1) exact = (exact << 7n) | BigInt((reader.bytes[at] ?? 0) & 0x7f);
  return asNumber(BigInt.asIntN(64, exact));
}

export function asNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Where the chunk ends that begins here. */
function readLength(reader: Reader, end: number): number {
  const length = readVarint(reader, end);
  if (length > end - reader.at) throw broken(reader, `${length} bytes are announced, ${end - reader.at} left`);
  return reader.at + length;
}

/** Where the bytes begin that are passed. */
function advance(reader: Reader, bytes: number, end: number): number {
  if (bytes > end - reader.at) throw broken(reader, "a number is cut off");
  const from = reader.at;
  reader.at += bytes;
  return from;
}

function skip(reader: Reader, wire: number, end: number): void {
  if (wire === VARINT) readVarint(reader, end);
  else if (wire === FIXED64) advance(reader, 8, end);
  else if (wire === CHUNK) reader.at = readLength(reader, end);
  else if (wire === FIXED32) advance(reader, 4, end);
  else throw broken(reader, `there is no wire type ${wire}`);
}

function broken(reader: Reader, why: string): OtlpError {
  return new OtlpError("broken", `broken protobuf at byte ${reader.at}: ${why}`);
}
