import { constantEnd } from "./constant-end.js";
import { type PlainRows, ROWS } from "./plain-list.js";
import type { Token } from "./tokenize.js";

/**
 * Where a row of VALUES opens, the rows after it that are the same but for constants and parameters: a batch is one shape, whatever its
 * size. A row that holds a query is left alone, as are those that follow it.
 */
export function likeRows(tokens: readonly Token[], open: number): PlainRows | undefined {
  const before = tokens[open - 1];
  if (tokens[open]?.text !== "(" || before?.kind !== "word" || before.key !== "values") return undefined;
  const close = closeOf(tokens, open);
  if (close === undefined) return undefined;
  // Some may be folded already.
  let last = tokens[close + 1] === ROWS ? close + 2 : close + 1;
  for (let end: number | undefined = last; end !== undefined; end = rowEnd(tokens, open, close, end)) last = end;
  return last > close + 1 ? { from: close + 1, to: last } : undefined;
}

function closeOf(tokens: readonly Token[], open: number): number | undefined {
  let depth = 0;
  for (let at = open; at < tokens.length; at += 1) {
    const token = tokens[at];
    if (token?.text === "(") depth += 1;
    else if (token?.text === ")") {
      depth -= 1;
      if (depth === 0) return at;
    } else if (token?.kind === "word" && (token.key === "select" || token.key === "values")) return undefined;
  }
  return undefined;
}

/** The position after a comma and a row like the one from `open` to `close`, or the end within it. */
function rowEnd(tokens: readonly Token[], open: number, close: number, start: number): number | undefined {
  if (tokens[start]?.text !== ",") return undefined;
  let at = start + 1;
  for (let like = open; like <= close;) {
    if (at >= tokens.length) return tokens.length;
    const constant = constantEnd(tokens, like);
    const constantHere = constantEnd(tokens, at);
    if (constant !== undefined && constantHere !== undefined) {
      like = constant;
      at = constantHere;
    } else if (tokens[at]?.kind === tokens[like]?.kind && tokens[at]?.key === tokens[like]?.key) {
      like += 1;
      at += 1;
    } else {
      // A whole text never ends within a row.
      return like > open && at === tokens.length - 1 ? tokens.length : undefined;
    }
  }
  return at;
}
