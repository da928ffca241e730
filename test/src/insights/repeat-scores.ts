import type { Finding, FindingKind } from "@telltale/core";
import type { Truth, Work } from "./repeat-works.js";
import { score, type Score } from "./scoreboard.js";

/** A workload with a number of keys, by its route. */
export interface Case {
  readonly name: string;
  readonly route: string;
  readonly run: () => Promise<unknown>;
  readonly truths: readonly Truth[];
}

export function casesOf(works: Readonly<Record<string, Work>>, sizes: readonly number[]): Case[] {
  return Object.entries(works).flatMap(([name, [work, ...truths]]) =>
    sizes.map((keys) => ({ name, route: `/${name}/${keys}`, run: () => work(keys), truths })),
  );
}

/** Each finding with its route, and each truth. */
const labelOf = (route: string | undefined, summary: string | undefined): string =>
  `${route}${summary === undefined ? "" : ` ${summary}`}`;

/** `row` is its name in the table. */
export function scoreKind(
  kind: FindingKind,
  cases: readonly Case[],
  loops: readonly Finding[],
  row: string = kind,
): Score & { wrong: string[] } {
  const isOfKind = (truth: Truth): boolean => truth.kind === kind;
  const expected = cases.flatMap(({ route, truths }) =>
    truths.filter(isOfKind).map(({ summary }) => labelOf(route, summary)),
  );
  const none = cases.filter(({ truths }) => !truths.some(isOfKind)).map(({ route }) => route);
  const found = loops
    .filter((finding) => finding.kind === kind)
    .map(({ route, querySummary }) => labelOf(route, querySummary));
  const scored = score(row, expected, found, none);
  return { ...scored, wrong: [...scored.missed, ...scored.falseAlarms] };
}

/** What a truth and what a finding says, beside what was found. */
interface Said {
  readonly label: string;
  readonly text: string;
}

function matching(expected: readonly Said[], found: ReadonlyMap<string, string>): string[] {
  return expected.map(({ label, text }) =>
    found.get(label) === text ? label : `${label}: ${found.get(label)}, not ${text}`,
  );
}

const sayOf = (source: unknown, isEstimate: unknown): string => `${String(source)}${isEstimate === true ? "?" : ""}`;

export function scoreSources(row: string, cases: readonly Case[], loops: readonly Finding[]): Score {
  const found = new Map(
    loops.map(({ route, querySummary, evidence = {} }) => [
      labelOf(route, querySummary),
      sayOf(evidence["source_query"] ?? "none", evidence["source_is_estimate"]),
    ]),
  );
  const expected = cases.flatMap(({ route, truths }) =>
    truths
      .filter(({ source }) => source !== undefined)
      .map(({ summary, source, isEstimate }) => ({
        label: labelOf(route, summary),
        text: sayOf(source ?? "none", isEstimate),
      })),
  );
  const labels = expected.map(({ label }) => label);
  return score(row, labels, matching(expected, found));
}

export function scoreOrders(row: string, cases: readonly Case[], loops: readonly Finding[]): Score {
  const found = new Map(
    loops.map(({ route, querySummary, evidence }) => [labelOf(route, querySummary), String(evidence?.["order"])]),
  );
  const expected = cases.flatMap(({ route, truths }) =>
    truths
      .filter(({ order }) => order !== undefined)
      .map(({ summary, order = "" }) => ({ label: labelOf(route, summary), text: order })),
  );
  const labels = expected.map(({ label }) => label);
  return score(row, labels, matching(expected, found));
}
