import { skipSpace } from "./characters.js";
import type { SqlDialect } from "./query-shape.js";
import { scanQuoted } from "./scan-quoted.js";
import type { Token } from "./tokenize.js";

const DOUBLE_QUOTE = 34;
const DOLLAR = 36;
const QUOTE = 39;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const QUESTION_MARK = 63;

/** Stands for a list of two or more constants; apart from a lone `?`, as in PostgreSQL, where `IN (1)` is `= 1`. */
export const LIST: Token = { kind: "literal", text: "?", key: "?,...", spaced: false };

/** Stands for the rows of VALUES that are like the first. */
export const ROWS: Token = { kind: "sign", text: ", ...", key: ", ...", spaced: false };

/** The rows after the first, from the comma on. */
export interface PlainRows {
  readonly from: number;
  readonly to: number;
}

/**
 * The position of the bracket that closes a list of two or more constants or parameters without casts, types and comments; negative
 * for any other list. The text's end where it ends within the list.
 */
export function plainListEnd(text: string, from: number, close: string, dialect: SqlDialect): number {
  let length = 0;
  let at = from - 1;
  do {
    at = skipPlain(text, at + 1, dialect);
    length += 1;
  } while (at > 0 && text.charAt(at) === ",");
  return length > 1 && (text.charAt(at) === close || at === text.length) ? at : -1;
}

/** Of VALUES, the rows like the first, whose parenthesis opens just before `from`; undefined where there are none. */
export function plainRows(text: string, from: number, dialect: SqlDialect): PlainRows | undefined {
  let columns = 0;
  let at = from - 1;
  do {
    at = skipPlain(text, at + 1, dialect);
    columns += 1;
  } while (at > 0 && text.charAt(at) === ",");
  if (at < 0 || text.charAt(at) !== ")") return undefined;
  const first = at + 1;
  let last = first;
  for (let end = first; end > 0; end = skipRow(text, end, columns, dialect)) last = end;
  return last > first ? { from: first, to: last } : undefined;
}

/** The position after a comma and a row of so many columns, or the text's end within it; negative where there is none. */
function skipRow(text: string, from: number, columns: number, dialect: SqlDialect): number {
  let at = skipSpace(text, from);
  if (text.charAt(at) !== ",") return -1;
  at = skipSpace(text, at + 1);
  if (at < text.length && text.charAt(at) !== "(") return -1;
  for (let column = 1; column <= columns && at < text.length; column += 1) {
    at = skipPlain(text, at + 1, dialect);
    if (at < 0 || (at < text.length && text.charAt(at) !== (column === columns ? ")" : ","))) return -1;
  }
  return Math.min(at + 1, text.length);
}

/**
 * The position of what follows a constant or parameter and the space around it; negative where there is none. What the text's end cuts
 * off counts as one. Written for speed: this reads every character of a long list (2 ns each).
 */
function skipPlain(text: string, from: number, dialect: SqlDialect): number {
  const end = text.length;
  let at = skipSpace(text, from);
  if (at === end) return end;
  let code = text.charCodeAt(at);
  const isParam = code === DOLLAR && dialect === "postgresql";
  if (isParam || code === MINUS) code = text.charCodeAt(++at);
  else if (code === QUOTE || (code === DOUBLE_QUOTE && dialect === "mysql")) {
    return skipSpace(text, Math.abs(scanQuoted(text, at, dialect === "mysql")));
  } else if (code === QUESTION_MARK && dialect !== "postgresql") return skipSpace(text, at + 1);
  else if (code > NINE) return skipWord(text, at);
  if (at === end) return end;
  if (code < ZERO || code > NINE) return -1;
  do code = text.charCodeAt(++at);
  while (code >= ZERO && code <= NINE);
  if (code === DOT && !isParam) {
    do code = text.charCodeAt(++at);
    while (code >= ZERO && code <= NINE);
  }
  return code === COMMA ? at : skipSpace(text, at);
}

const CONSTANT = /(?:null|true|false)(?![\w$\u0080-\uffff])|[\w$\u0080-\uffff]+$/iy;

function skipWord(text: string, from: number): number {
  CONSTANT.lastIndex = from;
  return CONSTANT.test(text) ? skipSpace(text, CONSTANT.lastIndex) : -1;
}
