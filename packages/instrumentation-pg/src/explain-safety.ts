import { readStrictly, type StrictToken } from "./explain-tokens.js";

/** A text that may be explained, and what of it only the server's catalog knows. */
export interface PlainSelect {
  /** Everything that might name a function, a table or a type. */
  readonly names: readonly string[];
  /** Everything that might be an operator. */
  readonly operators: readonly string[];
  /** The highest `$n`. */
  readonly parameters: number;
}

const MAX_LENGTH = 20_000;
const MAX_TOKENS = 2_000;
/** Words that a plain SELECT has no need of, wherever they stand: better a column of that name than a write. */
const FORBIDDEN = new Set(
  "insert update delete merge into truncate copy call do execute prepare deallocate declare lock tablesample information_schema".split(
    " ",
  ),
);
const LOCKS = new Set(["update", "share", "no", "key"]);
/** What IN, BETWEEN, LIKE, JOIN … USING, ORDER BY and DISTINCT stand for, and `!=`. */
const SILENT_OPERATORS = ["=", "<>", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*"];

/**
 * Recognises one SELECT without data-modifying parts, locks and INTO. Returns why not otherwise, also where it is not sure. What the
 * functions, views and operators in it do is for the catalog to say, see `explain-catalog.ts`.
 */
export function recognizeSelect(text: string): PlainSelect | string {
  if (text.length > MAX_LENGTH) return "it is too long";
  const tokens = readStrictly(text);
  if (tokens === undefined) return "it cannot be read without doubt";
  if (tokens.length > MAX_TOKENS) return "it is too long";
  const first = tokens.find(({ key }) => key !== "(");
  if (first?.kind !== "word" || (first.key !== "select" && first.key !== "with")) return "it is no SELECT";
  const end = tokens.findIndex(isSemicolon);
  if (end >= 0 && !tokens.slice(end).every(isSemicolon)) return "it has several statements";
  const wrong = findForbidden(tokens);
  if (wrong !== undefined) return wrong;
  const parameters = Math.max(0, ...tokens.map(({ kind, key }) => (kind === "param" ? Number(key) : 0)));
  return { ...namesIn(tokens), parameters };
}

/** The names in a view or a policy, as the server writes it; or why it must not be planned. */
export function namesOf(definition: string): Pick<PlainSelect, "names" | "operators"> | string {
  const tokens = readStrictly(definition);
  if (tokens === undefined) return "it cannot be read without doubt";
  return findForbidden(tokens) ?? namesIn(tokens);
}

function findForbidden(tokens: readonly StrictToken[]): string | undefined {
  for (const [n, { kind, key }] of tokens.entries()) {
    if (kind !== "word") continue;
    const next = tokens[n + 1];
    if (key === "for" && next?.kind === "word" && LOCKS.has(next.key)) return "it locks rows";
    if (FORBIDDEN.has(key)) return `it has the word ${key.toUpperCase()}`;
  }
  return undefined;
}

function namesIn(tokens: readonly StrictToken[]): Pick<PlainSelect, "names" | "operators"> {
  const names = new Set<string>();
  const operators = new Set(SILENT_OPERATORS);
  for (const { kind, key } of tokens) {
    if (kind === "word" || kind === "name") names.add(key);
    // How far an operator reaches has rules of its own: any part may be one.
    if (kind === "operator")
      for (let from = 0; from < key.length; from++)
        for (let to = from + 1; to <= key.length; to++) operators.add(key.slice(from, to));
  }
  return { names: [...names], operators: [...operators] };
}

function isSemicolon({ kind, key }: StrictToken): boolean {
  return kind === "sign" && key === ";";
}
