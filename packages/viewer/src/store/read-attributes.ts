import type { AnyValue, KeyValue } from "@telltale/otlp";

/** Attributes by name. */
export type Found = ReadonlyMap<string, AnyValue>;

/** Those of the attributes that are asked for, in one pass. */
export function findAttributes(pairs: readonly KeyValue[] | undefined, wanted: ReadonlySet<string>): Found {
  const found = new Map<string, AnyValue>();
  for (const { key, value } of pairs ?? []) {
    if (key !== undefined && value !== undefined && wanted.has(key)) found.set(key, value);
  }
  return found;
}

/** The first of the names that is there with a text that is not empty. */
export function textAt(found: Found, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const text = found.get(name)?.stringValue;
    if (text !== undefined && text !== "") return text;
  }
  return undefined;
}

/** A whole number, 0 or more, that JavaScript holds exactly; some SDKs send numbers as text. */
export function countAt(found: Found, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = found.get(name);
    const given = value?.intValue ?? value?.doubleValue ?? value?.stringValue;
    if (given === undefined || given === "") continue;
    const number = Math.floor(Number(given));
    if (Number.isSafeInteger(number) && number >= 0) return number;
  }
  return undefined;
}
