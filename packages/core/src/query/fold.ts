import { controlValue, isInStatement } from "./fold-control.js";
import { BEFORE_OPERAND } from "./keywords.js";
import type { Token } from "./tokenize.js";

/** The key of a list of two or more constants. */
export const LIST_KEY = "?,...";

/** Apart from a lone `?`, as in PostgreSQL, where `IN (1)` is `= 1`. */
const LIST: Token = { kind: "literal", text: "?", key: LIST_KEY, spaced: false };

/**
 * What PostgreSQL's parser folds, too: signs into numbers, TRUE, FALSE and NULL into literals, a list of two or more
 * constants or parameters (`IN (…)`, `ARRAY[…]`) into one. A trailing `;` goes.
 */
export function fold(tokens: readonly Token[]): Token[] {
  const folded: Token[] = [];
  let value = controlValue(tokens, 0);
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i];
    if (token === undefined) break;
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
  return tokens[at]?.text === close && length > 1 ? at : undefined;
}

/** The position after a constant or parameter with its sign, type and casts. */
function constantEnd(tokens: readonly Token[], start: number): number | undefined {
  let at = start;
  if (tokens[at]?.text === "-") at += 1;
  // date '…', timestamp with time zone '…'
  else if (!isConstantWord(tokens[at])) while (at < start + 4 && isTypeName(tokens[at])) at += 1;
  const token = tokens[at];
  if (token?.kind !== "literal" && token?.kind !== "param" && !isConstantWord(token)) return undefined;
  at += 1;
  while (tokens[at]?.text === "::") {
    at += 1;
    while (isTypePart(tokens, at)) at += 1;
  }
  return at;
}

function isConstantWord(token: Token | undefined): boolean {
  return token?.kind === "word" && (token.key === "true" || token.key === "false" || token.key === "null");
}

function isTypeName(token: Token | undefined): boolean {
  return token?.kind === "word" && token.key !== "select" && token.key !== "not";
}

function isTypePart(tokens: readonly Token[], at: number): boolean {
  const token = tokens[at];
  if (token === undefined) return false;
  return token.kind === "word" || token.kind === "name" || token.text === ".";
}
