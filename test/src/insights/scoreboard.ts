import { readFileSync } from "node:fs";

const DOCUMENT = new URL("../../../docs/findings/accuracy.md", import.meta.url);

/** How well findings of one kind fit what was seeded. */
export interface Score {
  readonly kind: string;
  /** Labelled cases in which something of this kind is there to be found, and in which nothing is. */
  readonly cases: number;
  readonly none: number;
  readonly found: number;
  readonly missed: readonly string[];
  readonly falseAlarms: readonly string[];
  /** Of what was found, what is right; of what is there, what was found. 1 where there is nothing to divide. */
  readonly precision: number;
  readonly recall: number;
}

/**
 * Compares the labels of cases that have a finding of a kind with those in which one was found, prints the row of the table in `docs/`, and fails
 * where that table has other cases. `none` are the labels of cases that have none.
 */
export function score(
  kind: string,
  expected: readonly string[],
  found: readonly string[],
  none: readonly string[] = [],
): Score {
  const there = new Set(expected);
  const heard = new Set(found);
  const missed = [...there].filter((label) => !heard.has(label));
  const falseAlarms = [...heard].filter((label) => !there.has(label));
  const right = heard.size - falseAlarms.length;
  const result = {
    kind,
    cases: there.size,
    none: new Set(none).size,
    found: right,
    missed,
    falseAlarms,
    precision: heard.size === 0 ? 1 : right / heard.size,
    recall: there.size === 0 ? 1 : right / there.size,
  };
  console.log(toRow(result));
  compareCases(result);
  return result;
}

/** The rows of the committed table: kind, and `cases + none`. */
export function readAccuracy(): Map<string, string> {
  const rows = readFileSync(DOCUMENT, "utf8").matchAll(/^\| *([^|]+?) *\| *(\d+ \+ \d+) *\|/gm);
  return new Map([...rows].map(([, kind = "", cases = ""]) => [kind, cases]));
}

/** Of the cases a busy machine may take some away, by making another one of them. */
const MAY_LACK = 0.25;

/** What a table says of other cases than these is of no use to who reads it. */
function compareCases(result: Score): void {
  const committed = readAccuracy().get(result.kind);
  const [cases = 0, none = 0] = committed?.split(" + ").map(Number) ?? [];
  const fits = (now: number, then: number): boolean => now <= then && now >= then * (1 - MAY_LACK);
  if (committed !== undefined && fits(result.cases, cases) && fits(result.none, none)) return;
  const found = committed === undefined ? "no row of this" : `${committed} cases`;
  throw new Error(`docs/findings/accuracy.md has ${found}; its row is now:\n${toRow(result)}`);
}

/** Kind, cases (and those with nothing to find), found, missed, false alarms, precision, recall. */
function toRow({ kind, cases, none, found, missed, falseAlarms, precision, recall }: Score): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const names = (labels: readonly string[]): string =>
    `${labels.length}${labels.map((label) => ` (${label})`).join("")}`;
  const cells = [
    kind,
    `${cases} + ${none}`,
    found,
    names(missed),
    names(falseAlarms),
    percent(precision),
    percent(recall),
  ];
  return `| ${cells.join(" | ")} |`;
}
