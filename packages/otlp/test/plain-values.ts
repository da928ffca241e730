import {
  type Arbitrary,
  array,
  boolean,
  constantFrom,
  dictionary,
  double,
  letrec,
  maxSafeInteger,
  oneof,
  string,
  uint8Array,
} from "fast-check";
import type { AnyValue, KeyValue } from "../src/index.js";

// Attributes as an app gives them, and what was read as they would be.

export const texts: Arbitrary<string> = oneof(
  constantFrom("", "GET /orders/:id", "ünïcödé ✓ 𝒳", "\0", "x".repeat(10_000)),
  string({ maxLength: 30 }),
  string({ unit: "binary", maxLength: 30 }),
);

const values = letrec<{ value: unknown }>((tie) => ({
  value: oneof(
    { maxDepth: 4, withCrossShrink: true },
    oneof(texts, maxSafeInteger(), boolean(), double({ noNaN: true, noDefaultInfinity: true })),
    uint8Array({ maxLength: 20 }),
    array(tie("value"), { maxLength: 4 }),
    dictionary(texts, tie("value"), { maxKeys: 4 }),
  ),
})).value;

/** `__proto__` is lost in an object of the SDK's. */
export const attributeSets = dictionary(
  oneof(constantFrom("http.route", "constructor", "7"), string({ maxLength: 8 })).filter((key) => key !== "__proto__"),
  values,
  { maxKeys: 8, noNullPrototype: true },
);

/** Bytes as their digits: those of protobuf are part of a larger buffer. -0 and 0 are one whole number. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null)
    return new Map(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value === 0 ? 0 : value;
}

export function readValue(value: AnyValue = {}): unknown {
  const { arrayValue, kvlistValue } = value;
  if (arrayValue !== undefined) return (arrayValue.values ?? []).map(readValue);
  if (kvlistValue !== undefined) return readAttributes(kvlistValue.values);
  const scalar = value.stringValue ?? value.boolValue ?? value.intValue ?? value.doubleValue ?? value.bytesValue;
  return plain(typeof scalar === "bigint" ? Number(scalar) : scalar);
}

export function readAttributes(pairs: readonly KeyValue[] = []): Map<string, unknown> {
  return new Map(pairs.map(({ key = "", value }) => [key, readValue(value)]));
}
