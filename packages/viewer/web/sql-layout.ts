export type TokenKind = "keyword" | "text" | "number" | "parameter" | "comment" | "other";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** White space stood before it. */
  readonly isApart: boolean;
}

export interface Line {
  readonly indent: number;
  readonly tokens: readonly Token[];
}

/** Longer texts are shown as they are: nobody reads them, and laying them out takes time. */
const MAX_LENGTH = 20_000;
const MAX_INDENT = 12;
const WIDE = 90;

const set = (words: string) => new Set(words.split(" "));
const STARTS = set("select insert update delete with merge replace create alter explain values");
const CLAUSES = set(
  "select from where group having order limit offset fetch union except intersect values set returning window insert update delete with for on join left right inner outer full cross natural straight_join",
);
const JOIN_WORDS = set("left right inner outer full cross natural");
const KEYWORDS = set(
  `${[...CLAUSES].join(" ")} by as and or not in is null like ilike between exists case when then else end distinct all asc desc nulls first last into using conflict do nothing lateral recursive materialized cast over partition rows range true false create table index view alter drop add column primary key default references merge matched replace explain analyze any some skip locked share only`,
);

/** The statement in lines, one per clause, its subqueries indented; undefined where it is no SQL, or too long. Nothing but white space changes. */
export function layOutSql(text: string): readonly Line[] | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const tokens = readTokens(text);
  const first = tokens.find((token) => token.kind !== "comment" && token.text !== "(");
  if (first === undefined || !STARTS.has(first.text.toLowerCase())) return undefined;
  return breakLines(tokens).flatMap(splitWide);
}

function breakLines(tokens: readonly Token[]): Line[] {
  const lines: Line[] = [];
  /** For each open parenthesis: whether a subquery is in it. */
  const open: boolean[] = [];
  /** The indents of those subqueries. */
  const bases: number[] = [];
  let line: Token[] = [];
  let indent = 0;
  let isBetween = false;
  const end = (next: number) => {
    if (line.length > 0) lines.push({ indent: Math.min(indent, MAX_INDENT), tokens: line });
    line = [];
    indent = next;
  };
  tokens.forEach((token, i) => {
    const word = token.text.toLowerCase();
    const depth = bases.at(-1) ?? 0;
    const isInline = open.at(-1) === false;
    if (token.text === ")") {
      if (open.pop() === true) end((bases.pop() ?? 1) - 1);
    } else if (!isInline && startsClause(tokens, i)) {
      end(depth);
    } else if (!isInline && (word === "or" || (word === "and" && !isBetween))) {
      end(depth + 1);
    }
    if (word === "between") isBetween = true;
    else if (word === "and") isBetween = false;
    line.push(token);
    if (token.kind === "comment" && token.text.startsWith("--")) end(depth);
    if (token.text === "(") {
      const isQuery = /^(?:select|with)$/i.test(tokens[i + 1]?.text ?? "");
      open.push(isQuery);
      if (isQuery) bases.push(indent + 1);
    }
    if (token.text === ";" && open.length === 0) end(0);
  });
  end(0);
  return lines;
}

function startsClause(tokens: readonly Token[], i: number): boolean {
  const word = wordAt(tokens, i);
  if (word === undefined || !CLAUSES.has(word)) return false;
  const before = wordAt(tokens, i - 1) ?? "";
  const after = wordAt(tokens, i + 1) ?? "";
  if (word === "join" || word === "outer") return !JOIN_WORDS.has(before);
  if (JOIN_WORDS.has(word)) return !JOIN_WORDS.has(before) && (JOIN_WORDS.has(after) || after === "join");
  if (word === "on") return after === "conflict" || after === "duplicate";
  if (word === "update") return before !== "for" && before !== "do" && before !== "key";
  if (word === "for") return after === "update" || after === "share";
  if (word === "from") return before !== "delete" && before !== "distinct";
  if (word === "group" || word === "order") return after === "by";
  if (word === "with") return before === "";
  if (word === "set") return before !== "character" && before !== "update";
  return true;
}

function wordAt(tokens: readonly Token[], i: number): string | undefined {
  const token = tokens[i];
  return token?.kind === "keyword" ? token.text.toLowerCase() : undefined;
}

/** A clause too wide for a screen goes on in the next line, after a comma. */
function splitWide(line: Line): Line[] {
  const parts: Token[][] = [[]];
  let width = 0;
  for (const piece of splitAfterCommas(line.tokens)) {
    const length = piece.reduce((sum, token) => sum + token.text.length + 1, 0);
    if (width > 0 && width + length > WIDE) {
      parts.push([]);
      width = 0;
    }
    parts.at(-1)?.push(...piece);
    width += length;
  }
  return parts.map((tokens, i) => ({ indent: line.indent + (i > 0 ? 1 : 0), tokens }));
}

function splitAfterCommas(tokens: readonly Token[]): Token[][] {
  const pieces: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.text === "(") depth++;
    if (token.text === ")") depth--;
    pieces.at(-1)?.push(token);
    if (token.text === "," && depth === 0) pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let isApart = false;
  while (at < text.length) {
    if (/\s/.test(text.charAt(at))) {
      isApart = true;
      at++;
      continue;
    }
    const end = tokenEnd(text, at);
    const piece = text.slice(at, end).trimEnd();
    tokens.push({ kind: kindOf(piece), text: piece, isApart });
    isApart = false;
    at = end;
  }
  return tokens;
}

function tokenEnd(text: string, at: number): number {
  const char = text.charAt(at);
  const next = text.charAt(at + 1);
  if (char === "-" && next === "-") return endAfter(text, "\n", at + 2);
  if (char === "/" && next === "*") return endAfter(text, "*/", at + 2);
  if (char === "'" || char === '"' || char === "`") return endAfter(text, char, at + 1);
  if (!isWordPart(char)) return at + 1;
  let end = at + 1;
  while (end < text.length && isWordPart(text.charAt(end))) end++;
  return end;
}

/** A doubled quote ends one text and begins the next: they stand side by side, which reads the same. */
function endAfter(text: string, what: string, from: number): number {
  const found = text.indexOf(what, from);
  return found < 0 ? text.length : found + what.length;
}

function isWordPart(char: string): boolean {
  return /[\w$@]/.test(char) || char > "\u007F";
}

function kindOf(piece: string): TokenKind {
  if (piece.startsWith("--") || piece.startsWith("/*")) return "comment";
  if (piece.startsWith("'")) return "text";
  if (/^(?:\?|[$@]\w+)$/.test(piece)) return "parameter";
  if (/^\d/.test(piece)) return "number";
  return KEYWORDS.has(piece.toLowerCase()) ? "keyword" : "other";
}
