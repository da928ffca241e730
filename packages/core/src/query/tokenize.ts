import {
  classOf,
  DIGIT,
  isBlank,
  isWordPart,
  LETTER,
  OPERATOR,
  skipSpace,
  skipWordParts,
  SPACE,
} from "./characters.js";
import { LIST, type PlainRows, plainListEnd, plainRows, ROWS } from "./plain-list.js";
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

/** What is read of a text, in characters (5 ns each at worst) and in tokens (150 ns each until the shape is made). */
const MAX_LENGTH = 32_768;
const MAX_TOKENS = 1_000;
/** As PostgreSQL's; keeps `+++…` linear. */
const MAX_OPERATOR = 63;

export interface Tokenized {
  readonly tokens: readonly Token[];
  /** The text goes on. */
  readonly isCut: boolean;
}

const CURRENCY = /\p{Sc}/u;

/** `$12.50` and `€12.50` are numbers there, `$action` is a name: https://learn.microsoft.com/sql/t-sql/data-types/constants-transact-sql */
function isCurrency(text: string, at: number): boolean {
  const char = text.charAt(at);
  return char === "$" ? classOf(text, at + 1) !== LETTER : char > "\u007f" && CURRENCY.test(char);
}

/**
 * One pass; whatever is left open (a string, a quoted name, a comment) reaches to the end and is no more than `?`, so that nothing shows
 * where a text is cut. The bound is one of tokens, too: a shape cut off there does not depend on how long the literals are.
 */
export function tokenize(whole: string, dialect: SqlDialect): Tokenized {
  const text = whole.length > MAX_LENGTH ? whole.slice(0, MAX_LENGTH) : whole;
  const tokens: Token[] = [];
  const isPostgres = dialect === "postgresql";
  const hasBrackets = dialect === "sqlite" || dialect === "mssql";
  const end = text.length;
  let at = 0;
  let spaced = false;
  /** Of the string literal before: its continuation ('a' newline 'b') has the same rules. */
  let backslashes = false;
  let afterString = false;
  let rows: PlainRows | undefined;

  while (at < end && tokens.length < MAX_TOKENS) {
    if (rows !== undefined && at === rows.from) {
      tokens.push(ROWS);
      at = rows.to;
      rows = undefined;
      continue;
    }
    const char = text.charAt(at);
    const next = text.charAt(at + 1);
    const kind = classOf(text, at);
    if (kind === SPACE) {
      at = skipSpace(text, at);
      spaced = true;
    } else if (char === "-" && next === "-" && (dialect !== "mysql" || isBlank(text, at + 2))) {
      at = skipLineComment(text, at);
      spaced = true;
    } else if (char === "#" && dialect === "mysql") {
      at = skipLineComment(text, at);
      spaced = true;
    } else if (char === "/" && next === "*") {
      at = skipBlockComment(text, at, isPostgres || dialect === "mssql");
      spaced = true;
    } else if (char === "'" || (char === '"' && dialect === "mysql")) {
      string(at, (afterString && backslashes) || dialect === "mysql");
    } else if (char === '"' || (char === "`" && !isPostgres) || (char === "[" && hasBrackets)) {
      quotedName(at);
    } else if (dialect === "mssql" && isCurrency(text, at)) {
      add("sign", at + 1);
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
  return { tokens, isCut: at < whole.length };

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
    const to = skipWordParts(text, at);
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
    for (;;) {
      const kind = classOf(text, to);
      if (kind !== DIGIT && kind !== LETTER) {
        const char = text.charAt(to);
        if (char !== "." || text.charAt(to + 1) === ".") {
          const before = text.charAt(to - 1);
          const isExponent = (before === "e" || before === "E") && !isRadix && (char === "+" || char === "-");
          if (!isExponent || classOf(text, to + 1) !== DIGIT) break;
        }
      }
      to += 1;
    }
    const raw = to - at <= 4 ? text.slice(at, to) : "";
    literal(to, /^\d+$/.test(raw) ? raw : "?");
  }

  function isParam(char: string, next: string): boolean {
    if (isPostgres) return char === "$";
    if (char === "?") return true;
    return hasBrackets && (char === ":" || char === "@" || char === "$") && isWordPart(next, 0);
  }

  function param(): void {
    let to = at + 1;
    while (isPostgres ? classOf(text, to) === DIGIT : isWordPart(text, to)) to += 1;
    add("param", to);
  }

  function sign(kind: number): void {
    if (kind !== OPERATOR) {
      const pair = text.slice(at, at + 2);
      add("sign", pair === "::" || pair === ":=" ? at + 2 : at + 1);
      return pair.startsWith("(") || pair.startsWith("[") ? skipPlain(pair.charAt(0)) : undefined;
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
      mayEndInSign ||= "~!@#%^&|`?".includes(char);
    } while (to < limit && classOf(text, to) === OPERATOR && !startsComment(to) && !isQuoteOrParam(to));
    // `=-5` is `=` and `-`; `@-` is one operator: https://www.postgresql.org/docs/18/sql-syntax-lexical.html
    add("sign", mayEndInSign ? to : keep);
    while (at < to) add("sign", at + 1);
  }

  /** Long lists of plain constants need no tokens. `fold` does the same with all others. */
  function skipPlain(open: string): void {
    const before = tokens[tokens.length - 2];
    if (before?.kind !== "word") return;
    if (open === "(" && before.key === "values") rows = plainRows(text, at, dialect);
    else if (before.key === (open === "(" ? "in" : "array")) {
      const close = plainListEnd(text, at, open === "(" ? ")" : "]", dialect);
      if (close < 0) return;
      tokens.push(LIST);
      at = close;
    }
  }

  function startsComment(position: number): boolean {
    const char = text.charAt(position);
    return (char === "-" || char === "/") && text.charAt(position + 1) === (char === "-" ? "-" : "*");
  }

  function isQuoteOrParam(position: number): boolean {
    if (isPostgres) return false;
    const char = text.charAt(position);
    return char === "`" || char === "?" || char === "#" || char === "@";
  }
}
