/** The values by which calls of a query read on, page after page or range after range, while they ask for the same. */
export interface Paging {
  /** Where they stand among the bound values. */
  readonly parameters: ReadonlySet<number>;
  readonly isLimited: boolean;
  /** Reads on for certain: it leaves out what was read. */
  readonly skips: boolean;
}

/** A value: bound, literal, or what has replaced one. Nothing in it can be read in two ways, which would take quadratic time. */
const VALUE = String.raw`(?:\$\d+|\?|-?(?<![\w.])\d[\d.]*|'[^']*')(?:::\w+)?`;
const BELOW_OR_ABOVE = String.raw`(?<![-<>@|&#~!=?])[<>]=?(?![<>@|&=?-])`;
const BOUNDS = new RegExp(
  [
    String.raw`${BELOW_OR_ABOVE}\s*(?:${VALUE}|\(\s*${VALUE}(?:\s*,\s*${VALUE})*\s*\))`,
    String.raw`${VALUE}\s*${BELOW_OR_ABOVE}`,
    String.raw`\bbetween\s+${VALUE}\s+and\s+${VALUE}`,
    String.raw`\b(?:limit|offset|first|next)\s+${VALUE}`,
  ].join("|"),
  "gi",
);
/** Characters looked at of a text that has its values in it. */
const MAX_LENGTH = 4_096;

/** How a query reads on; undefined for one that has no limit and compares with no bound. */
export function pagingOf(queryText: string, text: string): Paging | undefined {
  const isLimited = /\blimit\b|\bfetch\s+(?:first|next)\b/i.test(queryText);
  const skips = /\boffset\b/i.test(queryText);
  if (!isLimited && !skips && queryText.search(BOUNDS) < 0) return undefined;
  return { parameters: boundParameters(text.slice(0, MAX_LENGTH)), isLimited, skips };
}

function boundParameters(text: string): Set<number> {
  const found = new Set<number>();
  for (const bound of text.matchAll(BOUNDS)) {
    for (const parameter of bound[0].matchAll(/\$(\d+)|\?/g)) {
      const number = parameter[1];
      if (number !== undefined) found.add(Number(number) - 1);
      else found.add(text.slice(0, bound.index + parameter.index).split("?").length - 1);
    }
  }
  return found;
}

/** A text without the bounds that stand in it. */
export function withoutBounds(text: string): string {
  return text.slice(0, MAX_LENGTH).replace(BOUNDS, "");
}

/** A range with no limit is read for what it holds, if that is much; else it is one of many questions, such as the sum of each day. */
const MANY_ROWS = 10;

/** Whether calls that differ in nothing but their bounds read one long thing in parts. */
export function readsInParts({ isLimited, skips }: Paging, rows: number, calls: number): boolean {
  return skips || rows / calls >= (isLimited ? 2 : MANY_ROWS);
}
