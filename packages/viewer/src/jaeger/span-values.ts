import type { Value } from "../api/answers.js";

/** By their numbers in OTLP. */
export const KINDS: readonly string[] = ["", "internal", "server", "client", "producer", "consumer"];

/** Of `otel.status_code`; the first, unset, is not told. */
export const STATUS_NAMES = ["UNSET", "OK", "ERROR"] as const;

/** Empty for those that said none. */
export function kindOf(kind: number): string {
  return KINDS[kind] ?? "";
}

/** An attribute's value as a text: lists and maps as JSON. */
export function showText(value: Value): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
