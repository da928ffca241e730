export type Json = Record<string, unknown>;

/** Ids that pages can be asked for. */
export const TRACES = {
  texts: "a1".repeat(16),
  shapes: "a2".repeat(16),
  times: "a3".repeat(16),
  large: "a4".repeat(16),
  huge: "a5".repeat(16),
} as const;

/** A span's id. */
export const spanId = (number: number): string => number.toString(16).padStart(16, "0");
/** Milliseconds as OTLP's JSON has times. */
export const ns = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n);

export function attributes(values: Readonly<Record<string, unknown>>): Json[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
}

export function anyValue(value: unknown): Json {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  return { kvlistValue: { values: attributes(value as Json) } };
}
