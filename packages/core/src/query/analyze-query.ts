import { fingerprint } from "./fingerprint.js";
import { fold, LIST_KEY } from "./fold.js";
import type { QueryShape, SqlDialect } from "./query-shape.js";
import { summarize } from "./summary.js";
import { type Token, tokenize } from "./tokenize.js";

/**
 * Analyses a query. Pure and uncached; linear in the text; never throws. 200 characters take about 12 µs (Node 24, once
 * warm), 100 KB of the worst 40 ms: callers keep shapes in a `createShapeCache`, where finding one takes under 10 ns.
 */
export function analyzeQuery(text: string, dialect: SqlDialect): QueryShape {
  const tokens = fold(tokenize(text, dialect));
  return { queryText: write(tokens), ...summarize(tokens), fingerprint: fingerprint(tokens), batch: isBatch(tokens) };
}

function isBatch(tokens: readonly Token[]): boolean {
  return tokens.some(({ key }, i) => key === LIST_KEY || (key === "any" && tokens[i + 1]?.text === "("));
}

/** Joined, as a string grown by `+=` would keep slices of the query, and so the whole of it, in memory. */
function write(tokens: readonly Token[]): string {
  const parts: string[] = [];
  for (const token of tokens) {
    if (token.spaced && parts.length > 0) parts.push(" ");
    parts.push(token.text);
  }
  return parts.join("");
}
