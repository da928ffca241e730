import { controlValue, isInStatement } from "./fold-control.js";
import { BEFORE_OPERAND } from "./keywords.js";
import { likeRows } from "./fold-rows.js";
import { constantEnd } from "./constant-end.js";
import { LIST, type PlainRows, ROWS } from "./plain-list.js";
import type { Token } from "./tokenize.js";

/**
 * What PostgreSQL's parser folds, too: signs into numbers, TRUE, FALSE and NULL into literals, a list of two or more
 * constants or parameters (`IN (…)`, `ARRAY[…]`) into one. Beyond that, the rows of VALUES that are like the first. A trailing `;`
 * goes. Lists and rows that the end of the tokens cuts off are folded, too.
 */
export function fold(tokens: readonly Token[]): Token[] {
  const folded: Token[] = [];
  let value = controlValue(tokens, 0);
  let rows: PlainRows | undefined;
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i];
    if (token === undefined) break;
    if (i === rows?.from) {
      folded.push(ROWS);
      i = rows.to - 1;
      continue;
    }
    if (i === value) {
      folded.push({ kind: "literal", text: "?", key: "?", spaced: token.spaced });
      while (isInStatement(tokens, i + 1)) i += 1;
      continue;
    }
    if (token.text === ";") value = controlValue(tokens, i + 1);
    if (isSign(tokens, i, token)) {
      i += 1;
      folded.push({ kind: "literal", text: "?", key: "?", spaced: token.spaced });
    } else if (token.kind === "word" && isConstant(tokens, i, token.key)) {
      folded.push({ kind: "literal", text: "?", key: "?", spaced: token.spaced });
    } else folded.push(token);
    if (token.text !== "(" && token.text !== "[") continue;
    rows = likeRows(tokens, i) ?? rows;
    const list = listEnd(tokens, i);
    if (list !== undefined) {
      const close = tokens[list];
      folded.push(LIST);
      if (close !== undefined) folded.push(close);
      i = list;
    }
  }
  while (folded.at(-1)?.text === ";") folded.pop();
  return folded;
}

function isSign(tokens: readonly Token[], i: number, token: Token): boolean {
  if (token.kind !== "sign" || token.text !== "-" || tokens[i + 1]?.kind !== "literal") return false;
  // `-1::int` is the negation of a cast.
  if (tokens[i + 2]?.text === "::") return false;
  const before = tokens[i - 1];
  if (before === undefined) return true;
  if (before.kind === "word") return BEFORE_OPERAND.has(before.key);
  return before.kind === "sign" && before.text !== ")" && before.text !== "]";
}

function isConstant(tokens: readonly Token[], i: number, key: string): boolean {
  if (key !== "true" && key !== "false" && key !== "null") return false;
  const before = tokens[i - 1]?.key;
  const beforeThat = tokens[i - 2]?.key;
  if (before === "." || before === "is" || tokens[i + 1]?.text === ".") return false;
  // IS NOT TRUE, IS DISTINCT FROM NULL, NOT NULL and ON DELETE SET NULL are no constants.
  if (before === "not") return key !== "null" && beforeThat !== "is";
  if (key !== "null") return true;
  return before !== "set" && !(before === "from" && beforeThat === "distinct");
}

/** Where the bracket at `open` holds two or more constants only, its end. */
function listEnd(tokens: readonly Token[], open: number): number | undefined {
  const bracket = tokens[open]?.text;
  const before = tokens[open - 1];
  if (
    before?.kind !== "word" ||
    !((bracket === "(" && before.key === "in") || (bracket === "[" && before.key === "array"))
  ) {
    return undefined;
  }
  const close = bracket === "(" ? ")" : "]";
  let at = open;
  let length = 0;
  do {
    const end = constantEnd(tokens, at + 1);
    if (end === undefined) return undefined;
    at = end;
    length += 1;
  } while (tokens[at]?.text === ",");
  return length > 1 && (tokens[at]?.text === close || at === tokens.length) ? at : undefined;
}
