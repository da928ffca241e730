import type { AttributeMap } from "../api/answers.js";
import { parseList } from "../api/attributes.js";
import type { SpanRow } from "./read-spans.js";

export interface SpanEvent {
  readonly name: string;
  readonly timeUs: number;
  readonly attributes: AttributeMap;
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: AttributeMap;
}

/** As the receiver wrote them; what is of another form is left out. */
export function readEvents({ events }: SpanRow): SpanEvent[] {
  return parseList(events).flatMap((event) => {
    const { name, timeMs, attributes } = fieldsOf(event);
    if (typeof timeMs !== "number" || !Number.isFinite(timeMs)) return [];
    return [
      {
        name: typeof name === "string" ? name : "",
        timeUs: Math.max(0, Math.round(timeMs * 1_000)),
        attributes: fieldsOf(attributes),
      },
    ];
  });
}

/** Those to spans that have ids: others lead nowhere. */
export function readLinks({ links }: SpanRow): SpanLink[] {
  return parseList(links).flatMap((link) => {
    const { traceId, spanId, attributes } = fieldsOf(link);
    if (typeof traceId !== "string" || !/^[0-9a-f]{32}$/.test(traceId)) return [];
    if (typeof spanId !== "string" || !/^[0-9a-f]{16}$/.test(spanId)) return [];
    return [{ traceId, spanId, attributes: fieldsOf(attributes) }];
  });
}

function fieldsOf(value: unknown): AttributeMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as AttributeMap) : {};
}
