import { fingerprint } from "./fingerprint.js";
import { fold } from "./fold.js";
import type { QueryShape, SqlDialect } from "./query-shape.js";
import { summarize } from "./summary.js";
import { type Token, tokenize } from "./tokenize.js";

/** Analyses a query. Pure and uncached; linear in the text; never throws. */
export function analyzeQuery(text: string, dialect: SqlDialect): QueryShape {
  const tokens = fold(tokenize(text, dialect));
  return { queryText: write(tokens), ...summarize(tokens), fingerprint: fingerprint(tokens) };
}

function write(tokens: readonly Token[]): string {
  let text = "";
  for (const token of tokens) text += token.spaced && text !== "" ? ` ${token.text}` : token.text;
  return text;
}
