import type { AttributeMap, TraceSpan, Value } from "../../../src/api/answers.js";

/** Of one text; what comes after is not looked at. */
const LONGEST = 2000;

/** Tells which spans hold a text, in the order in which they were given; the texts are put together once, not for every letter typed. */
export function makeSpanSearch(spans: readonly TraceSpan[]): (text: string) => number[] {
  let texts: string[] | undefined;
  return (text) => {
    const wanted = text.trim().toLowerCase();
    if (wanted === "") return [];
    texts ??= spans.map(textOf);
    const found: number[] = [];
    for (const [index, text] of texts.entries()) if (text.includes(wanted)) found.push(index);
    return found;
  };
}

function textOf(span: TraceSpan): string {
  const parts = [span.name, span.service, span.spanId, span.scope, span.statusMessage, span.finding ?? ""];
  addValues(parts, span.attributes);
  for (const event of span.events) {
    parts.push(event.name);
    addValues(parts, event.attributes);
  }
  return parts
    .map((part) => part.slice(0, LONGEST))
    .join("\n")
    .toLowerCase();
}

function addValues(parts: string[], attributes: AttributeMap): void {
  for (const [name, value] of Object.entries(attributes)) parts.push(name, showValue(value));
}

/** A value on one line: texts as they are, all else as JSON. */
export function showValue(value: Value): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The match to go to from `at`, in the direction, and around at the end; undefined without matches. */
export function nextMatch(matches: readonly number[], at: number, direction: 1 | -1): number | undefined {
  return direction === 1
    ? (matches.find((match) => match > at) ?? matches[0])
    : (matches.findLast((match) => match < at) ?? matches.at(-1));
}
