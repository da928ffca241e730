import type { FindingItem, TraceSpan } from "../../../src/api/answers.js";

/** Which spans tell of each finding, and which findings stand at each span, both by index. */
export interface PlacedFindings {
  readonly spansOf: readonly (readonly number[])[];
  readonly findingsAt: ReadonlyMap<number, readonly number[]>;
}

/** A finding stands where its query ran, then where a span says that it is of its kind, else at the request it was made in. */
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
  const ofQuery = placesWhere(spans, ({ attributes }) =>
    finding.queryText === null
      ? finding.summary !== null && attributes["db.query.summary"] === finding.summary
      : attributes["db.query.text"] === finding.queryText,
  );
  // One call was slow; of a loop, all of them are what it is about, and the request says so.
  const both = ofQuery.filter((index) => told.includes(index));
  if (both.length > 0) return both;
  if (ofQuery.length + told.length > 0) return [...ofQuery, ...told];
  return placesWhere(spans, ({ kind }) => kind === "server").slice(0, 1);
}

function placesWhere(spans: readonly TraceSpan[], holds: (span: TraceSpan) => boolean): number[] {
  const places: number[] = [];
  for (const [index, span] of spans.entries()) if (holds(span)) places.push(index);
  return places;
}
