import type { FindingItem, TraceSpan } from "../../../src/api/answers.js";

/** Which spans tell of each finding, and which findings stand at each span, both by index. */
export interface PlacedFindings {
  readonly spansOf: readonly (readonly number[])[];
  readonly findingsAt: ReadonlyMap<number, readonly number[]>;
}

/** A finding stands where its query ran, else where a span says that it is of its kind, else at the request it was made in. */
export function placeFindings(findings: readonly FindingItem[], spans: readonly TraceSpan[]): PlacedFindings {
  const findingsAt = new Map<number, number[]>();
  const spansOf = findings.map((finding, number) => {
    const places = findPlaces(finding, spans);
    for (const place of places) {
      const there = findingsAt.get(place);
      if (there) there.push(number);
      else findingsAt.set(place, [number]);
    }
    return places;
  });
  return { spansOf, findingsAt };
}

function findPlaces(finding: FindingItem, spans: readonly TraceSpan[]): number[] {
  const told = placesWhere(spans, (span) => span.finding === finding.kind);
  const ofQuery = told.filter((index) => {
    const { "db.query.text": text, "db.query.summary": summary } = spans[index]?.attributes ?? {};
    return finding.queryText === null ? summary === finding.summary : text === finding.queryText;
  });
  if (ofQuery.length > 0) return ofQuery;
  if (told.length > 0) return told;
  if (finding.queryText !== null) {
    const same = placesWhere(spans, ({ attributes }) => attributes["db.query.text"] === finding.queryText);
    if (same.length > 0) return same;
  }
  return placesWhere(spans, ({ kind }) => kind === "server").slice(0, 1);
}

function placesWhere(spans: readonly TraceSpan[], holds: (span: TraceSpan) => boolean): number[] {
  const places: number[] = [];
  for (const [index, span] of spans.entries()) if (holds(span)) places.push(index);
  return places;
}
