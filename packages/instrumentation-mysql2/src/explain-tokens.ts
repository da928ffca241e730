/** A piece of a text that can only be read in one way. */
export interface StrictToken {
  readonly kind: "word" | "name" | "string" | "number" | "param" | "operator" | "sign";
  /** A word in lower case, a quoted name without its quotes, else as written; strings are empty. */
  readonly key: string;
  /** As written; of a quoted name the name. */
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

const MAX_NAME = 64;
const SPACE = /[ \t\n\r\f\v]+/y;
// Two dashes and no space are two minus signs; where a line ends, servers and tools may differ about \r.
const LINE_COMMENT = /(?:--(?=[ \t\n])|#)[^\n\r]*(?=\n|$)/y;
// What a server may run or take for a hint (`/*!`, `/*M!`, `/*+`) is none, nor is what a nested one could end.
const COMMENT = /\/\*(?![!+]|M!|m!)(?:(?!\/\*)[^])*?\*\//y;
const WORD = /[A-Za-z_][A-Za-z0-9_$]*/y;
const NUMBER = /(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)/y;
const STRING = /'[^'\\]*(?:(?:''|\\[^])[^'\\]*)*'(?!')/y;
const DOUBLE_QUOTED = /"[^"\\]*(?:(?:""|\\[^])[^"\\]*)*"(?!")/y;
const NAME = /`[^`]*(?:``[^`]*)*`(?!`)/y;
const OPERATOR = /[+\-*/%=<>!&|^~]/;
const SIGN = /[(),.;]/;
/** What must not follow on a number or a word: names may begin with digits, and strings may have a character set before them. */
const GLUED = /[A-Za-z0-9_$'"`@\\\u0080-\uffff]/;

/**
 * Reads a text by the rules that MySQL and MariaDB have where `sql_mode` has neither ANSI_QUOTES nor NO_BACKSLASH_ESCAPES, and the client
 * speaks UTF-8; or not at all: undefined for variables, versioned comments, hints, names beyond ASCII outside of quotes, `{fn …}`, and all
 * that is left open. https://dev.mysql.com/doc/refman/8.4/en/language-structure.html
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
  function add(kind: StrictToken["kind"], key: string, from: number, name = key): true {
    tokens.push({ kind, key, name, from, to: at });
    return true;
  }
  const isGlued = (): boolean => GLUED.test(text.charAt(at));

  function string(pattern: RegExp): boolean {
    const from = at;
    const before = tokens.at(-1);
    // `_gbk'…'`, also with a space: its end would be found by the rules of that character set, by some servers.
    if (before?.kind === "word" && before.key.startsWith("_")) return false;
    return take(pattern) !== undefined && !isGlued() && add("string", "", from);
  }

  function word(): boolean {
    const from = at;
    const found = take(WORD) ?? "";
    const key = found.toLowerCase();
    if (text.charAt(at) === "'" && ["b", "n", "x"].includes(key)) return string(STRING);
    return !isGlued() && found.length <= MAX_NAME && add("word", key, from, found);
  }

  function quoted(): boolean {
    const from = at;
    const found = take(NAME);
    if (found === undefined || isGlued()) return false;
    const name = found.slice(1, -1).replaceAll("``", "`");
    return name.length <= MAX_NAME && add("name", name, from);
  }

  function number(): boolean {
    const from = at;
    const before = tokens.at(-1);
    // `t.5`, `t.5e3`: names, to some.
    if (before?.to === at && before.key === ".") return false;
    const isName = before?.to === at && (before.kind === "word" || before.kind === "name");
    const found = isName ? undefined : take(NUMBER);
    if (found === undefined) return sign();
    return !isGlued() && text.charAt(at) !== "." && add("number", found, from);
  }

  function sign(): boolean {
    const char = text.charAt(at);
    const kind = OPERATOR.test(char) ? "operator" : SIGN.test(char) ? "sign" : char === "?" ? "param" : undefined;
    if (kind === undefined || text.startsWith("*/", at) || text.startsWith("/*", at) || text.startsWith("--", at))
      return false;
    at += 1;
    return (kind !== "param" || !isGlued()) && add(kind, char, at - 1);
  }

  function step(): boolean {
    if ((take(SPACE) ?? take(LINE_COMMENT) ?? take(COMMENT)) !== undefined) return true;
    const char = text.charAt(at);
    if (char === "'") return string(STRING);
    if (char === '"') return string(DOUBLE_QUOTED);
    if (char === "`") return quoted();
    if (/[A-Za-z_]/.test(char)) return word();
    return /[\d.]/.test(char) ? number() : sign();
  }

  while (at < text.length) if (!step()) return undefined;
  return tokens;
}
