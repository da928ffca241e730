/**
 * What could pass for something else, or for nothing, in a terminal or to a language model: controls, invisible and direction marks, tags,
 * variation selectors.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\p{Variation_Selector}]+/gu;

/** One line of at most so many characters, with nothing hidden in it. */
export function clean(text: string, maxLength = 300): string {
  // Cut first: a text of megabytes is not worked through.
  const line = text
    .slice(0, maxLength * 4)
    .replaceAll(HIDDEN, " ")
    .replaceAll(/ {2,}/g, " ")
    .trim();
  return line.length > maxLength || text.length > maxLength * 4 ? `${line.slice(0, maxLength)}…` : line;
}

const MAX_DEPTH = 8;
const MAX_ENTRIES = 200;

/** The same of everything in a value; of long lists the beginning. */
export function cleanAll(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return clean(value, 2_000);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "…";
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((item) => cleanAll(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ENTRIES)
      .map(([key, item]) => [clean(key, 200), cleanAll(item, depth + 1)]),
  );
}
