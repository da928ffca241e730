import type { TraceSpan } from "./answers.js";
import { numberOf, parseList, parseObject, textOf } from "./attributes.js";

type Event = TraceSpan["events"][number];
type Link = TraceSpan["links"][number];

/** `startMs` of the trace, on the clock of the span: what it was moved by is taken off. */
export function eventsOf(json: string, startMs: number): Event[] {
  if (json === "[]") return [];
  return parseList(json).map((value) => {
    const event = parseObject(value);
    return {
      name: textOf(event, "name") ?? "",
      timeMs: (numberOf(event, "timeMs") ?? startMs) - startMs,
      attributes: parseObject(event["attributes"]),
    };
  });
}

export function linksOf(json: string): Link[] {
  if (json === "[]") return [];
  return parseList(json).map((value) => {
    const link = parseObject(value);
    return {
      traceId: textOf(link, "traceId") ?? "",
      spanId: textOf(link, "spanId") ?? "",
      attributes: parseObject(link["attributes"]),
    };
  });
}
