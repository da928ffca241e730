import type { HrTime } from "@opentelemetry/api";
import { codeAt, Generations, limitOf } from "@telltale/core";
import type { TraceWords } from "../trace-identity.js";
import { LARGEST_KEPT, type SpareBuffers } from "./spare-buffers.js";

// Protocol buffers as OTLP uses them: https://protobuf.dev/programming-guides/encoding/. Wire types: 0 varint, 1 fixed64, 2 length and
// bytes, 5 fixed32. Everything is written once, front to back; where a length is known only afterwards, room for it is left.

/** Field number and wire type; one byte for fields below 16. */
export const tagOf = (field: number, wireType: 0 | 1 | 2 | 5): number => (field << 3) | wireType;

/** There may be as many writers as the app has tracers. */
const FIRST_SIZE = 512;
const SMALL_STEPS_FROM = 512 * 1024;
/** Above this a string is written by Node's own code; below, the call costs more than the loop (measured: 0.1 µs against 1 ns a letter). */
const LOOP_LENGTH = 40;
const MAX_KEY_LENGTH = 200;

/** Attribute names with their tag and length, as they stand in every KeyValue. */
const keys = new Generations<EncodedKey>(2_000, 100_000, (name) => name.length, limitOf("span.attribute_names"));

/** In words of four bytes, of which the last may hold fewer: written so, a key takes a sixth of what single bytes take. */
class EncodedKey {
  readonly length: number;
  readonly words: Int32Array;

  constructor(name: string) {
    const writer = new ByteWriter(name.length * 3 + 8);
    writer.string(tagOf(1, 2), name);
    const { length } = writer;
    const bytes = Buffer.alloc(Math.ceil(length / 4) * 4);
    bytes.set(writer.view());
    this.length = length;
    this.words = Int32Array.from({ length: bytes.length / 4 }, (_, n) => bytes.readInt32LE(n * 4));
  }
}

function encodedKey(name: string): EncodedKey {
  let key = keys.get(name);
  if (key === undefined) {
    key = new EncodedKey(name);
    if (name.length <= MAX_KEY_LENGTH) keys.set(name, key);
  }
  return key;
}

/** Bytes one after the other, in a buffer that grows. */
export class ByteWriter {
  /** May be set back, which forgets what was written after it. */
  length = 0;
  private bytes: Buffer;
  /** Of the same bytes. */
  private numbers: DataView;
  private originMs = Number.NaN;
  private originLow = 0;
  private originHigh = 0;

  constructor(size: number = FIRST_SIZE) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.numbers = viewOf(this.bytes);
  }

  private use(bytes: Buffer): void {
    this.bytes = bytes;
    this.numbers = viewOf(bytes);
  }

  /** What was written, as long as nothing more is. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** A copy of what was written; the writer is empty then. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.view());
    this.clear();
    return taken;
  }

  /**
   * What was written, itself, unless that would leave most of its buffer unused; the writer is empty then and goes on in a spare buffer or
   * a new one. Who has done with it gives it to `spare`.
   */
  handOver(spare: SpareBuffers): Uint8Array {
    if (this.length * 4 < this.bytes.length) return this.take();
    const taken = this.view();
    this.length = 0;
    this.use(spare.take(FIRST_SIZE));
    return taken;
  }

  /** Empties the writer. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > LARGEST_KEPT) this.use(Buffer.allocUnsafeSlow(FIRST_SIZE));
  }

  /** Room for so many more bytes. */
  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const size = this.bytes.length;
    // A full batch is half a megabyte and a little: twice that would lie about half empty.
    const larger = Buffer.allocUnsafeSlow(
      Math.max(needed, size < SMALL_STEPS_FROM ? size * 2 : Math.ceil(size * 1.25)),
    );
    this.bytes.copy(larger, 0, 0, this.length);
    this.use(larger);
  }

  raw(source: Uint8Array): void {
    const count = source.length;
    this.reserve(count);
    const bytes = this.bytes;
    const at = this.length;
    if (count < LOOP_LENGTH) for (let i = 0; i < count; i++) bytes[at + i] = source[i] as number;
    else bytes.set(source, at);
    this.length = at + count;
  }

  /** A varint field of a number from 0 to 2⁵³. */
  varint(tag: number, value: number): void {
    this.reserve(12);
    this.bytes[this.length++] = tag;
    this.rawVarint(value);
  }

  private rawVarint(value: number): void {
    const bytes = this.bytes;
    let at = this.length;
    let rest = value;
    while (rest > 0x7fffffff) {
      bytes[at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      bytes[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /**
   * The ids of a span or a link, in 32-bit words, the most significant byte first; a parent of zeros is none. One method for all of them:
   * by itself each would ask for room again.
   */
  ids({ a, b, c, d }: TraceWords, id1: number, id2: number, parent1: number, parent2: number): void {
    this.reserve(38);
    const { numbers } = this;
    const at = this.length;
    numbers.setUint16(at, (tagOf(1, 2) << 8) | 16);
    numbers.setInt32(at + 2, a);
    numbers.setInt32(at + 6, b);
    numbers.setInt32(at + 10, c);
    numbers.setInt32(at + 14, d);
    numbers.setUint16(at + 18, (tagOf(2, 2) << 8) | 8);
    numbers.setInt32(at + 20, id1);
    numbers.setInt32(at + 24, id2);
    this.length = at + 28;
    if (parent1 === 0 && parent2 === 0) return;
    numbers.setUint16(at + 28, (tagOf(4, 2) << 8) | 8);
    numbers.setInt32(at + 30, parent1);
    numbers.setInt32(at + 34, parent2);
    this.length = at + 38;
  }

  private putLittleEndian(word: number): void {
    this.numbers.setUint32(this.length, word, true);
    this.length += 4;
  }

  private putDouble(value: number): void {
    this.numbers.setFloat64(this.length, value, true);
    this.length += 8;
  }

  fixed32(tag: number, value: number): void {
    this.reserve(6);
    this.rawVarint(tag);
    this.putLittleEndian(value);
  }

  /** Nanoseconds since the epoch of a moment of this process, given as `performance.now()` has it. */
  ownTime(tag: number, ms: number): void {
    // Exact up to 104 days of running, and to 2 ns for a century.
    const nanos = Math.round(ms * 1e6);
    const high = Math.floor(nanos * (1 / 2 ** 32));
    const low = this.originLow + (nanos - high * 2 ** 32);
    const carry = low >= 2 ** 32 ? 1 : 0;
    this.reserve(9);
    const { numbers } = this;
    const at = this.length;
    numbers.setUint8(at, tag);
    numbers.setUint32(at + 1, low, true);
    numbers.setUint32(at + 5, this.originHigh + high + carry, true);
    this.length = at + 9;
  }

  /** Where `performance.now()` began, in ms since the epoch. */
  setOrigin(originMs: number): void {
    if (originMs === this.originMs) return;
    const nanos = BigInt(Math.round(originMs * 1000)) * 1000n;
    this.originMs = originMs;
    this.originLow = Number(nanos & 0xffffffffn);
    this.originHigh = Number(nanos >> 32n);
  }

  /** Nanoseconds since the epoch of a moment that the app named; what cannot be one is 0. */
  time(tag: number, [seconds, nanos]: HrTime): void {
    this.reserve(9);
    this.bytes[this.length++] = tag;
    const total =
      Number.isFinite(seconds) && Number.isFinite(nanos)
        ? BigInt(Math.trunc(seconds)) * 1_000_000_000n + BigInt(Math.trunc(nanos))
        : 0n;
    this.numbers.setBigUint64(this.length, BigInt.asUintN(64, total), true);
    this.length += 8;
  }

  /** A string field; what is no valid Unicode becomes U+FFFD. */
  string(tag: number, given: string): void {
    const text = "" + given;
    if (text.length < LOOP_LENGTH) {
      this.reserve(LOOP_LENGTH + 2);
      this.bytes[this.length] = tag;
      if (this.putShort(text, this.length + 1)) return;
    }
    const count = Buffer.byteLength(text);
    this.reserve(count + 8);
    this.bytes[this.length++] = tag;
    this.putLong(text, count);
  }

  /** Length and text of a short string, from `at` on, if all of it is ASCII. */
  private putShort(given: string, at: number): boolean {
    const text = "" + given;
    const bytes = this.bytes;
    const count = text.length;
    bytes[at] = count;
    for (let i = 0; i < count; i++) {
      const code = codeAt(text, i);
      if (code > 127) return false;
      bytes[at + 1 + i] = code;
    }
    this.length = at + 1 + count;
    return true;
  }

  private putLong(text: string, count: number): void {
    this.rawVarint(count);
    this.bytes.write(text, this.length, count, count === text.length ? "latin1" : "utf8");
    this.length += count;
  }

  byteString(tag: number, value: Uint8Array): void {
    this.reserve(8);
    this.bytes[this.length++] = tag;
    this.rawVarint(value.length);
    this.raw(value);
  }

  /**
   * Begins a message whose length is not known yet; the result is for `close`. `room` bytes are left for that length: two are what most
   * need, and what is larger by far should say so, as otherwise all of it is moved.
   */
  open(tag: number, room: number = 2): number {
    this.reserve(1 + room);
    this.bytes[this.length] = tag;
    this.length += 1 + room;
    return this.length;
  }

  /** Ends a message that was begun with as much room. */
  close(start: number, room: number = 2): void {
    const count = this.length - start;
    const width = varintWidth(count);
    if (width > room) this.reserve(width - room);
    if (width !== room) this.bytes.copyWithin(start + width - room, start, this.length);
    this.length = start - room;
    this.rawVarint(count);
    this.length += count;
  }

  /** The eight bytes of a double whose tag is written. */
  rawDouble(value: number): void {
    this.reserve(8);
    this.putDouble(value);
  }

  /** A KeyValue as field `tag`. */
  attribute(tag: number, name: string, value: unknown): void {
    const key = encodedKey(name);
    if (typeof value === "string") {
      this.textAttribute(tag, key, value);
    } else if (typeof value === "number" && value >= 0 && Number.isSafeInteger(value)) {
      this.openKeyValue(tag, key, 1 + varintWidth(value));
      this.bytes[this.length++] = tagOf(3, 0);
      this.rawVarint(value);
    } else if (typeof value === "number" && !Number.isInteger(value)) {
      this.openKeyValue(tag, key, 9);
      this.bytes[this.length++] = tagOf(4, 1);
      this.putDouble(value);
    } else {
      const start = this.open(tag);
      this.reserve(key.length + 4);
      this.putKey(key);
      const valueStart = this.open(tagOf(2, 2));
      this.anyValue(value);
      this.close(valueStart);
      this.close(start);
    }
  }

  private textAttribute(tag: number, key: EncodedKey, given: string): void {
    const text = "" + given;
    if (text.length < LOOP_LENGTH) {
      const start = this.length;
      this.openKeyValue(tag, key, 2 + text.length);
      this.bytes[this.length] = tagOf(1, 2);
      if (this.putShort(text, this.length + 1)) return;
      this.length = start;
    }
    const count = Buffer.byteLength(text);
    this.openKeyValue(tag, key, 1 + varintWidth(count) + count);
    this.bytes[this.length++] = tagOf(1, 2);
    this.putLong(text, count);
  }

  /** The head of a KeyValue, with room for its value of so many bytes. */
  private openKeyValue(tag: number, key: EncodedKey, anyLength: number): void {
    this.reserve(key.length + anyLength + 16);
    this.bytes[this.length++] = tag;
    this.rawVarint(key.length + 1 + varintWidth(anyLength) + anyLength);
    this.putKey(key);
    this.bytes[this.length++] = tagOf(2, 2);
    this.rawVarint(anyLength);
  }

  private putKey({ words, length }: EncodedKey): void {
    const { numbers } = this;
    const at = this.length;
    for (let n = 0; n < words.length; n++) numbers.setInt32(at + n * 4, words[n] as number, true);
    this.length = at + length;
  }

  /** The content of an AnyValue; what has no representation (null, a function) is an empty one. */
  anyValue(value: unknown): void {
    if (typeof value === "string") {
      this.string(tagOf(1, 2), value);
    } else if (typeof value === "boolean") {
      this.varint(tagOf(2, 0), value ? 1 : 0);
    } else if (typeof value === "number") {
      this.numberValue(value);
    } else if (value instanceof Uint8Array) {
      this.byteString(tagOf(7, 2), value);
    } else if (Array.isArray(value)) {
      const list = this.open(tagOf(5, 2));
      for (const item of value) {
        const start = this.open(tagOf(1, 2));
        this.anyValue(item);
        this.close(start);
      }
      this.close(list);
    } else if (typeof value === "object" && value !== null) {
      const list = this.open(tagOf(6, 2));
      for (const [name, item] of Object.entries(value)) this.attribute(tagOf(1, 2), name, item);
      this.close(list);
    }
  }

  /** A whole number within 64 bits is an int, anything else a double. */
  private numberValue(value: number): void {
    this.reserve(12);
    if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63) {
      this.bytes[this.length++] = tagOf(3, 0);
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest > 127n; rest >>= 7n) this.bytes[this.length++] = Number(rest & 127n) | 128;
      this.bytes[this.length++] = Number(rest);
    } else {
      this.bytes[this.length++] = tagOf(4, 1);
      this.putDouble(value);
    }
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length);
}

/** How many bytes a length takes. */
export function varintWidth(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  let width = 3;
  for (let rest = Math.floor(value / 0x200000); rest > 0; rest = Math.floor(rest / 128)) width++;
  return width;
}
