import { type FieldType, MAX_DEPTH, MAX_ITEMS, type Message, OtlpError, type Room, take } from "./message.js";
import { asNumber } from "./protobuf.js";

/**
 * Reads OTLP's JSON form (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding) as the very objects that `decode` makes of
 * protobuf. Unknown fields are passed over; null is as good as absent. Throws an OtlpError that names the field that is not what it should be.
 */
export function parse(message: Message, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new OtlpError(
      "broken",
      `broken JSON: ${error instanceof Error ? error.message.slice(0, 200) : "unreadable"}`,
    );
  }
  return readMessage({ items: MAX_ITEMS }, message, value, undefined, 0);
}

/** Where a value is, from the inside out; put into words only for an error. */
interface Place {
  readonly name: string | number;
  readonly within: Place | undefined;
}

function readMessage(
  room: Room,
  message: Message,
  value: unknown,
  place: Place | undefined,
  depth: number,
): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new OtlpError("broken", `nested more than ${MAX_DEPTH} deep at ${wordsFor(place)}`);
  take(room, 1);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(place, "an object", value);
  const result: Record<string, unknown> = {};
  for (const [name, found] of Object.entries(value)) {
    const field = message.byName.get(name);
    if (field === undefined || found === null) continue;
    const type = field.type();
    const inside: Place = { name, within: place };
    if (!field.isList) {
      result[name] = readValue(room, type, found, inside, depth);
      continue;
    }
    if (!Array.isArray(found)) throw wrong(inside, "an array", found);
    take(room, found.length);
    result[name] = found.map((item: unknown, index) =>
      readValue(room, type, item, { name: index, within: inside }, depth),
    );
  }
  return result;
}

function readValue(room: Room, type: FieldType, value: unknown, place: Place, depth: number): unknown {
  switch (type) {
    case "string":
      if (typeof value !== "string") throw wrong(place, "a string", value);
      return value;
    case "id":
      if (typeof value !== "string") throw wrong(place, "a string of hexadecimal digits", value);
      return value.toLowerCase();
    case "bytes":
      if (typeof value !== "string") throw wrong(place, "a string in base64", value);
      return Buffer.from(value, "base64");
    case "bool":
      if (typeof value !== "boolean") throw wrong(place, "true or false", value);
      return value;
    case "double":
      return readDouble(value, place);
    case "nanos": {
      const nanos = readInteger(value, place);
      if (nanos < 0n) throw wrong(place, "a whole number of nanoseconds", value);
      return nanos;
    }
    case "int64":
    case "sfixed64":
      // JavaScript's SDK writes 1e300 as a whole number, too.
      return typeof value === "number" && Number.isInteger(value) ? value : asNumber(readInteger(value, place));
    case "uint32":
    case "sint32":
    case "enum":
    case "fixed32":
    case "count":
    case "varcount":
      return typeof value === "number" && Number.isSafeInteger(value) ? value : Number(readInteger(value, place));
    default:
      return readMessage(room, type, value, place, depth + 1);
  }
}

function readDouble(value: unknown, place: Place): number {
  if (typeof value === "number") return value;
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value);
  if (typeof value === "string" && /^-?\d{1,30}(\.\d{1,30})?(e[+-]?\d{1,3})?$/i.test(value)) return Number(value);
  throw wrong(place, "a number", value);
}

/** 64 bits: as a string of digits, or as a number, which then may not be exact. */
function readInteger(value: unknown, place: Place): bigint {
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 64) return BigInt(value);
  if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw wrong(place, "a whole number", value);
}

function wrong(place: Place | undefined, expected: string, value: unknown): OtlpError {
  return new OtlpError("broken", `${wordsFor(place)} must be ${expected}, and is ${typeName(value)}`);
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "string") return `the string ${JSON.stringify(value.slice(0, 40))}`;
  return typeof value === "object" ? "an object" : `${typeof value} ${String(value)}`;
}

/** Of a path. */
const MAX_WORDS = 20;

/** `resourceSpans[0].scopeSpans[2].spans[7].name` */
function wordsFor(place: Place | undefined): string {
  const names: string[] = [];
  for (let at = place; at !== undefined; at = at.within)
    names.unshift(typeof at.name === "number" ? `[${at.name}]` : `.${at.name.slice(0, 40)}`);
  if (names.length === 0) return "the request";
  return `${names.slice(0, MAX_WORDS).join("").slice(1)}${names.length > MAX_WORDS ? "…" : ""}`;
}
