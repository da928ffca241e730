import type { SpanLimits } from "@opentelemetry/sdk-trace";
import { readNumber } from "./environment-number.js";

/** The `OTEL_SPAN_*` and `OTEL_ATTRIBUTE_*` limits; what is not set is left to the defaults (128, and values of any length). */
export function readSpanLimits(): SpanLimits {
  const limits: Record<keyof SpanLimits, number | undefined> = {
    attributeCountLimit: first(0, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"),
    attributeValueLengthLimit: first(1, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    eventCountLimit: first(0, "OTEL_SPAN_EVENT_COUNT_LIMIT"),
    linkCountLimit: first(0, "OTEL_SPAN_LINK_COUNT_LIMIT"),
    attributePerEventCountLimit: first(
      0,
      "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
      "OTEL_SPAN_ATTRIBUTE_PER_EVENT_COUNT_LIMIT",
    ),
    attributePerLinkCountLimit: first(0, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_PER_LINK_COUNT_LIMIT"),
  };
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
}

function first(least: number, ...variables: string[]): number | undefined {
  for (const variable of variables) {
    const value = readNumber(variable, least);
    if (value !== undefined) return value;
  }
  return undefined;
}
