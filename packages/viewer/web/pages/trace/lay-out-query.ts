/** Longer texts are shown as they came. */
const LONGEST = 20_000;
const DEEPEST = 12;

/** Two words, where the second belongs to the first. */
const SECOND_WORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  GROUP: new Set(["BY"]),
  ORDER: new Set(["BY"]),
  INSERT: new Set(["INTO"]),
  DELETE: new Set(["FROM"]),
  LEFT: new Set(["JOIN", "OUTER"]),
  RIGHT: new Set(["JOIN", "OUTER"]),
  FULL: new Set(["JOIN", "OUTER"]),
  INNER: new Set(["JOIN"]),
  CROSS: new Set(["JOIN"]),
  OUTER: new Set(["JOIN"]),
  UNION: new Set(["ALL"]),
  FOR: new Set(["UPDATE", "SHARE"]),
};
const BEGIN_LINE = new Set(
  "SELECT FROM WHERE HAVING LIMIT OFFSET RETURNING VALUES SET JOIN UNION EXCEPT INTERSECT WITH UPDATE WINDOW".split(
    " ",
  ),
);
const BEGIN_INNER_LINE = new Set(["AND", "OR"]);
const BEGIN_QUERY = new Set(["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "REPLACE"]);

/** The text of a query over several lines: one for each clause, conditions and subqueries indented. What is not SQL is left alone, JSON is spread. */
export function layOutQuery(text: string): string {
  const trimmed = text.trim();
  if (trimmed.length > LONGEST) return trimmed;
  if (trimmed.startsWith("{") || trimmed.startsWith("[")) return spreadJson(trimmed);
  const tokens = splitTokens(trimmed);
  if (!BEGIN_QUERY.has(tokens[0]?.toUpperCase() ?? "")) return trimmed;
  return writeLines(tokens);
}

function spreadJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Words, quoted texts, comments, brackets and commas, everything else; each space between them is one token " ". */
function splitTokens(text: string): string[] {
  const tokens: string[] = [];
  let at = 0;
  while (at < text.length) {
    const end = endOfToken(text, at);
    const token = text.slice(at, end);
    if (token.trim() !== "") tokens.push(token);
    else if (tokens.length > 0) tokens.push(" ");
    at = end;
  }
  return tokens;
}

function endOfToken(text: string, at: number): number {
  const char = text.charAt(at);
  if (char === "'" || char === '"' || char === "`") return endOfQuoted(text, at, char);
  if (text.startsWith("--", at)) return endAfter(text, at, "\n", 2) - (text.includes("\n", at) ? 1 : 0);
  if (text.startsWith("/*", at)) return endAfter(text, at, "*/", 2);
  if (isWord(char)) return endWhile(text, at, isWord);
  if (isSpace(char)) return endWhile(text, at, isSpace);
  return at + 1;
}

/** A doubled quote inside is part of the text. */
function endOfQuoted(text: string, at: number, quote: string): number {
  let end = at;
  do {
    end = text.indexOf(quote, end + 1);
    if (end < 0) return text.length;
    end++;
  } while (text.charAt(end) === quote);
  return end;
}

function endAfter(text: string, at: number, mark: string, skip: number): number {
  const found = text.indexOf(mark, at + skip);
  return found < 0 ? text.length : found + mark.length;
}

function endWhile(text: string, at: number, holds: (char: string) => boolean): number {
  let end = at + 1;
  while (end < text.length && holds(text.charAt(end))) end++;
  return end;
}

const isSpace = (char: string): boolean => char.trim() === "";
const isWord = (char: string): boolean =>
  (char >= "a" && char <= "z") ||
  (char >= "A" && char <= "Z") ||
  (char >= "0" && char <= "9") ||
  char === "_" ||
  char > "\u007f";

function writeLines(tokens: readonly string[]): string {
  const lines: string[] = [];
  let line = "";
  /** For each open bracket, whether a query stands in it. */
  const open: boolean[] = [];
  const indent = (): string => "  ".repeat(Math.min(DEEPEST, open.filter(Boolean).length));
  const begin = (more: string): void => {
    if (line.trim() !== "") lines.push(line.trimEnd());
    line = indent() + more;
  };
  const words = tokens.map((token) => token.toUpperCase());
  const next = (from: number): number => (words[from] === " " ? from + 1 : from);
  let isJoined = false;
  let isBetween = false;
  for (const [place, token] of tokens.entries()) {
    const word = words[place] ?? "";
    const isClauseHere = open.length === 0 || open.at(-1) === true;
    const after = words[next(place + 1)] ?? "";
    if (token === "(") {
      line += token;
      const isQuery = after === "SELECT" || after === "WITH";
      open.push(isQuery);
    } else if (token === ")") {
      if (open.pop() === true) begin("");
      line += token;
    } else if (token.startsWith("--")) {
      line += token;
      begin("");
    } else if (isJoined) {
      line += token;
      isJoined = token === " " || SECOND_WORDS[word]?.has(after) === true;
    } else if (isClauseHere && (BEGIN_LINE.has(word) || SECOND_WORDS[word]?.has(after) === true)) {
      begin("");
      line += token;
      isJoined = SECOND_WORDS[word]?.has(after) === true;
    } else if (isClauseHere && BEGIN_INNER_LINE.has(word) && !isBetween) {
      begin("  ");
      line += token;
    } else if (token !== " " || line.trim() !== "") line += token;
    // The AND of `BETWEEN a AND b` is no condition of its own.
    if (word === "BETWEEN") isBetween = true;
    else if (word === "AND") isBetween = false;
  }
  begin("");
  return lines.join("\n");
}
