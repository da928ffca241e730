import type { AttributeMap, Value } from "./answers.js";

/** An object, or the text of one. It was written by the receiver, yet a file may be anybody's. */
export function parseObject(from: Value | undefined): AttributeMap {
  const value = typeof from === "string" ? parse(from) : from;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as AttributeMap) : {};
}

export function parseList(json: string | null): readonly Value[] {
  const value = json === null ? undefined : parse(json);
  return Array.isArray(value) ? value : [];
}

function parse(json: string): Value | undefined {
  try {
    return JSON.parse(json) as Value;
  } catch {
    return undefined;
  }
}

/** The first of these that is a text. */
export function textOf(attributes: AttributeMap, ...names: readonly string[]): string | null {
  for (const name of names) {
    const value = attributes[name];
    if (typeof value === "string" && value !== "") return value;
  }
  return null;
}

/** The first of these that is a number. */
export function numberOf(attributes: AttributeMap, ...names: readonly string[]): number | null {
  for (const name of names) {
    const value = attributes[name];
    // Whole numbers of 64 bits may come as texts.
    const number = typeof value === "string" && value !== "" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number)) return number;
  }
  return null;
}
