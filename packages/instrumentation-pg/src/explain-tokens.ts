/** A piece of a text that can only be read in one way. */
export interface StrictToken {
  readonly kind: "word" | "name" | "string" | "number" | "param" | "operator" | "sign";
  /** A word in lower case, a quoted name without its quotes, a parameter's number, else as written; strings and numbers are empty. */
  readonly key: string;
}

/** PostgreSQL cuts longer names. */
const MAX_NAME_BYTES = 63;
const MAX_OPERATOR = 10;
const SPACE = /[ \t\n\r\f]+/y;
const LINE_COMMENT = /--[^\n\r]*/y;
const WORD = /[A-Za-z_][A-Za-z0-9_$]*/y;
const NUMBER = /(?:0[xX][0-9a-fA-F]+|\d+(?:\.(?!\.)\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)/y;
const PARAM = /\$[1-9]\d{0,4}/y;
// A quote right behind them would be one that is never closed.
const STRING = /'[^']*(?:''[^']*)*'(?!')/y;
const ESCAPED = /'[^'\\]*(?:(?:''|\\[^])[^'\\]*)*'(?!')/y;
const NAME = /"[^"]*(?:""[^"]*)*"(?!")/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$/y;
const OPERATOR = /[+\-*/<>=~!@#%^&|`?]/;
const SIGN = /[(),.[\];:]/;
/** What must not follow on a number or parameter: older servers begin something new there. */
const GLUED = /[A-Za-z0-9_$'"\u0080-\uffff]/;

/**
 * Reads a text by PostgreSQL's own rules (standard_conforming_strings on, UTF-8), or not at all: undefined wherever servers, settings or
 * encodings might read it in another way. Names with escapes, letters beyond ASCII outside of quotes, continued strings and all that is left
 * open are among it. https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
export function readStrictly(text: string): readonly StrictToken[] | undefined {
  if (text.includes("\0") || !text.isWellFormed()) return undefined;
  const tokens: StrictToken[] = [];
  let at = 0;

  /** What a pattern matches here, which is then behind us. */
  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  }
  function add(kind: StrictToken["kind"], key: string): true {
    tokens.push({ kind, key });
    return true;
  }

  function string(escapes: boolean): boolean {
    // 'a' newline 'b' is one string, by the rules of its first part.
    if (tokens.at(-1)?.kind === "string") return false;
    return take(escapes ? ESCAPED : STRING) !== undefined && add("string", "");
  }

  function word(): boolean {
    const found = take(WORD) ?? "";
    const key = found.toLowerCase();
    const next = text.charAt(at);
    if (next === "'" && ["e", "b", "x", "n"].includes(key)) return string(key === "e");
    // U&'…' and U&"…", also where a space would make it an operator.
    if (key === "u" && next === "&") return false;
    if (next > "\u007f" || found.length > MAX_NAME_BYTES) return false;
    return add("word", key);
  }

  function name(): boolean {
    const found = take(NAME);
    if (found === undefined) return false;
    const key = found.slice(1, -1).replaceAll('""', '"');
    return Buffer.byteLength(key) <= MAX_NAME_BYTES && add("name", key);
  }

  function dollar(): boolean {
    const parameter = take(PARAM);
    if (parameter !== undefined) return !GLUED.test(text.charAt(at)) && add("param", parameter.slice(1));
    const tag = take(DOLLAR_TAG);
    if (tag === undefined || tokens.at(-1)?.kind === "string") return false;
    const close = text.indexOf(tag, at);
    if (close < 0) return false;
    at = close + tag.length;
    return !GLUED.test(text.charAt(at)) && add("string", "");
  }

  function blockComment(): boolean {
    let depth = 0;
    do {
      const open = text.indexOf("/*", at);
      const close = text.indexOf("*/", at);
      if (close < 0) return false;
      const opens = open >= 0 && open < close;
      depth += opens ? 1 : -1;
      at = (opens ? open : close) + 2;
    } while (depth > 0);
    return true;
  }

  function operator(): boolean {
    const from = at;
    while (OPERATOR.test(text.charAt(at)) && !/^(?:--|\/\*)/.test(text.slice(at, at + 2))) at += 1;
    return at - from <= MAX_OPERATOR && add("operator", text.slice(from, at));
  }

  function step(): boolean {
    if (take(SPACE) !== undefined || take(LINE_COMMENT) !== undefined) return true;
    if (text.startsWith("/*", at)) return blockComment();
    const char = text.charAt(at);
    if (char === "'") return string(false);
    if (char === '"') return name();
    if (/[A-Za-z_]/.test(char)) return word();
    if (char === "$") return dollar();
    if (take(NUMBER) !== undefined) return !GLUED.test(text.charAt(at)) && add("number", "");
    if (OPERATOR.test(char)) return operator();
    if (!SIGN.test(char)) return false;
    at += 1;
    return add("sign", char);
  }

  while (at < text.length) if (!step()) return undefined;
  return tokens;
}
