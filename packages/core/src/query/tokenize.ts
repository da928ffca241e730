import type { SqlDialect } from "./query-shape.js";
import { scanDollarQuote, scanQuoted, skipBlockComment, skipLineComment } from "./scan-quoted.js";

export interface Token {
  /** `name`: a quoted identifier; `sign`: an operator or punctuation. */
  readonly kind: "word" | "name" | "literal" | "param" | "sign";
  /** As written; `?` for a literal, whose content ends here. */
  readonly text: string;
  /** A word in lower case, a literal's digits where they may be a position (`ORDER BY 2`), else the text. */
  readonly key: string;
  /** White space or a comment precedes. */
  readonly spaced: boolean;
}

/** As PostgreSQL's; keeps `+++…` linear. */
const MAX_OPERATOR = 63;

const OTHER = 0;
const SPACE = 1;
const DIGIT = 2;
const LETTER = 3;
const OPERATOR = 4;
const CLASSES = new Uint8Array(128);
for (const char of " \t\n\r\f\v\0") CLASSES[char.charCodeAt(0)] = SPACE;
for (const char of "0123456789") CLASSES[char.charCodeAt(0)] = DIGIT;
for (const char of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") CLASSES[char.charCodeAt(0)] = LETTER;
for (const char of "+-*/<>=~!@#%^&|`?") CLASSES[char.charCodeAt(0)] = OPERATOR;

/** One pass; whatever is left open (a string, a quoted name, a comment) reaches to the end and is no more than `?`. */
export function tokenize(text: string, dialect: SqlDialect): Token[] {
  const tokens: Token[] = [];
  const isPostgres = dialect === "postgresql";
  const end = text.length;
  let at = 0;
  let spaced = false;
  /** Of the string literal before: its continuation ('a' newline 'b') has the same rules. */
  let backslashes = false;
  let afterString = false;

  while (at < end) {
    const char = text.charAt(at);
    const next = text.charAt(at + 1);
    const kind = classOf(text, at);
    if (kind === SPACE) {
      at += 1;
      spaced = true;
    } else if (char === "-" && next === "-" && (dialect !== "mysql" || isBlank(text, at + 2))) {
      at = skipLineComment(text, at);
      spaced = true;
    } else if (char === "#" && dialect === "mysql") {
      at = skipLineComment(text, at);
      spaced = true;
    } else if (char === "/" && next === "*") {
      at = skipBlockComment(text, at, isPostgres);
      spaced = true;
    } else if (char === "'" || (char === '"' && dialect === "mysql")) {
      string(at, (afterString && backslashes) || dialect === "mysql");
    } else if (char === '"' || (char === "`" && !isPostgres) || (char === "[" && dialect === "sqlite")) {
      quotedName(at);
    } else if (kind === LETTER) {
      word();
    } else if (kind === DIGIT || (char === "." && classOf(text, at + 1) === DIGIT)) {
      number();
    } else if (char === "$" && isPostgres && classOf(text, at + 1) !== DIGIT) {
      const close = scanDollarQuote(text, at);
      if (close === at) add("sign", at + 1);
      else literal(close);
    } else if (isParam(char, next)) {
      param();
    } else {
      sign(kind);
    }
  }
  return tokens;

  function add(kind: Token["kind"], to: number): void {
    const raw = text.slice(at, to);
    tokens.push({ kind, text: raw, key: kind === "word" ? raw.toLowerCase() : raw, spaced });
    at = to;
    spaced = false;
    afterString = false;
  }

  function literal(to: number, digits = "?"): void {
    tokens.push({ kind: "literal", text: "?", key: digits, spaced });
    at = to;
    spaced = false;
    afterString = false;
  }

  function string(quote: number, escapes: boolean): void {
    const to = Math.abs(scanQuoted(text, quote, escapes));
    if (afterString) at = to;
    else literal(to);
    afterString = true;
    backslashes = escapes;
    spaced = false;
  }

  /** Never closed it may be anything, a string's end too: `?`. */
  function quotedName(quote: number): void {
    const to = scanQuoted(text, quote, false);
    if (to < 0) literal(-to);
    else add("name", to);
  }

  function word(): void {
    let to = at + 1;
    while (isWordPart(text, to)) to += 1;
    const after = text.charAt(to);
    if (after === "'" && to === at + 1) {
      const prefix = text.charAt(at).toLowerCase();
      if (prefix === "e" && isPostgres) return string(to, true);
      if (prefix === "b" || prefix === "x" || prefix === "n") return string(to, dialect === "mysql");
    }
    if (after === "&" && to === at + 1 && isPostgres && text.charAt(at).toLowerCase() === "u") {
      const quote = text.charAt(to + 1);
      if (quote === "'") return string(to + 1, false);
      if (quote === '"') return quotedName(to + 1);
    }
    add("word", to);
  }

  /** Generous: what is glued to a number belongs to it, so that no part of a malformed literal survives. */
  function number(): void {
    const isRadix = text.charAt(at) === "0" && /[xob]/i.test(text.charAt(at + 1));
    let to = at + 1;
    while (to < end) {
      const char = text.charAt(to);
      if (char === "." ? text.charAt(to + 1) === "." : char === "$" || !isWordPart(text, to)) {
        const before = text.charAt(to - 1);
        const isExponent = (before === "e" || before === "E") && !isRadix && (char === "+" || char === "-");
        if (!isExponent || classOf(text, to + 1) !== DIGIT) break;
      }
      to += 1;
    }
    const raw = to - at <= 4 ? text.slice(at, to) : "";
    literal(to, /^\d+$/.test(raw) ? raw : "?");
  }

  function isParam(char: string, next: string): boolean {
    if (isPostgres) return char === "$";
    if (char === "?") return true;
    return dialect === "sqlite" && (char === ":" || char === "@" || char === "$") && isWordPart(next, 0);
  }

  function param(): void {
    let to = at + 1;
    while (isPostgres ? classOf(text, to) === DIGIT : isWordPart(text, to)) to += 1;
    add("param", to);
  }

  function sign(kind: number): void {
    if (kind !== OPERATOR) {
      const pair = text.slice(at, at + 2);
      return add("sign", pair === "::" || pair === ":=" ? at + 2 : at + 1);
    }
    const limit = at + MAX_OPERATOR;
    let to = at;
    /** After the last character that is neither + nor -. */
    let keep = at + 1;
    let mayEndInSign = false;
    do {
      const char = text.charAt(to);
      to += 1;
      if (char !== "+" && char !== "-") keep = to;
      if ("~!@#%^&|`?".includes(char)) mayEndInSign = true;
    } while (to < limit && classOf(text, to) === OPERATOR && !startsComment(to) && !isQuoteOrParam(to));
    // `=-5` is `=` and `-`; `@-` is one operator: https://www.postgresql.org/docs/18/sql-syntax-lexical.html
    add("sign", mayEndInSign ? to : keep);
    while (at < to) add("sign", at + 1);
  }

  function startsComment(position: number): boolean {
    const char = text.charAt(position);
    const next = text.charAt(position + 1);
    return (char === "-" && next === "-") || (char === "/" && next === "*");
  }

  function isQuoteOrParam(position: number): boolean {
    const char = text.charAt(position);
    return !isPostgres && (char === "`" || char === "?" || char === "#" || char === "@");
  }
}

function classOf(text: string, position: number): number {
  const code = text.charCodeAt(position);
  return code < 128 ? (CLASSES[code] ?? OTHER) : code >= 128 ? LETTER : OTHER;
}

function isBlank(text: string, position: number): boolean {
  return position >= text.length || text.charCodeAt(position) <= 32;
}

function isWordPart(text: string, position: number): boolean {
  const kind = classOf(text, position);
  return kind === LETTER || kind === DIGIT || text.charCodeAt(position) === 36;
}
