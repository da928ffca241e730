import { readStrictly, type StrictToken } from "./explain-tokens.js";

export interface ColumnName {
  readonly alias: string;
  readonly column: string;
}

/** A part of a condition that an index can serve: a column, and how it is compared with what is known before the row is read. */
export interface Comparison extends ColumnName {
  readonly isEqual: boolean;
  /** Whether it is compared with numbers, which a text is converted to first, row by row. */
  readonly isNumeric: boolean;
}

type Tokens = readonly StrictToken[];

/** What a plan puts before a constant. */
const TYPES = /(?<![\w`.])(?:TIMESTAMP|DATETIME|DATE|TIME|_[a-z0-9]+)\s?(?=')/gi;
const MIRRORED = /^(?:<|>|<=|>=|=|<=>)$/;

/** The parts of a condition that are all to be true; none where they are not joined by AND, or cannot be read. */
export function splitConjunction(condition: string): readonly Tokens[] {
  const tokens = readStrictly(condition.replaceAll(TYPES, ""));
  return tokens === undefined ? [] : split(tokens);
}

function split(given: Tokens): readonly Tokens[] {
  const tokens = unwrap(given);
  const parts: StrictToken[][] = [[]];
  let depth = 0;
  let isBetween = false;
  for (const token of tokens) {
    if (token.key === "(") depth += 1;
    if (token.key === ")") depth -= 1;
    if (depth < 0) return [];
    if (depth === 0 && token.kind === "word") {
      if (token.key === "or" || token.key === "xor") return [];
      if (token.key === "and" && !isBetween) {
        parts.push([]);
        continue;
      }
      if (token.key === "between" || token.key === "and") isBetween = token.key === "between";
    }
    parts.at(-1)?.push(token);
  }
  // A subquery is written `(subquery#2)`, and what follows cannot be told from a comment.
  return depth === 0 ? parts.map(unwrap) : [];
}

/** The comparison in a part of a condition, where there is one that an index could serve. */
export function readComparison(part: Tokens): Comparison | undefined {
  const [column, rest] = readColumn(part) ?? [];
  if (column === undefined || rest === undefined) return undefined;
  const operator = operatorOf(rest);
  const values = rest.slice(operator.split(" ").length);
  switch (operator) {
    case "is null":
      return values.length === 0 ? { ...column, isEqual: true, isNumeric: false } : undefined;
    case "=":
    case "< = >":
    case "in":
      return compared(column, values, true);
    case "<":
    case ">":
    case "< =":
    case "> =":
    case "between":
      return compared(column, values, false);
    default:
      return undefined;
  }
}

function compared(column: ColumnName, values: Tokens, isEqual: boolean): Comparison | undefined {
  const isCached =
    values
      .map(({ key }) => key)
      .slice(0, 4)
      .join("") === "<cache>(";
  if (!isCached && !values.every(isConstant)) return undefined;
  const isNumeric = values.some(({ kind }) => kind === "number") && !values.some(({ kind }) => kind === "string");
  return values.length === 0 ? undefined : { ...column, isEqual, isNumeric };
}

function isConstant({ kind, key }: StrictToken): boolean {
  return ["string", "number", "param"].includes(kind) || ["(", ")", ",", "-", "and"].includes(key);
}

/** What stands between a column and its value, a space between its tokens. */
function operatorOf(rest: Tokens): string {
  const signs = rest.slice(0, 3).map(({ kind, key }) => (kind === "operator" ? key : " "));
  const sign = signs.join("").split(" ")[0] ?? "";
  // `<cache>(…)` begins like an operator, too.
  const own = /^(?:<=>|<=|>=|=|<|>)/.exec(sign)?.[0];
  if (own !== undefined && MIRRORED.test(own)) return [...own].join(" ");
  const [first, second] = rest;
  if (first?.key === "is" && second?.key === "null") return "is null";
  return first?.kind === "word" ? first.key : "";
}

/** The two columns of `a.x = b.y`. */
export function readEquality(part: Tokens): readonly [ColumnName, ColumnName] | undefined {
  const [left, rest = []] = readColumn(part) ?? [];
  const [right, end] = rest[0]?.key === "=" ? (readColumn(rest.slice(1)) ?? []) : [];
  return left !== undefined && right !== undefined && end?.length === 0 ? [left, right] : undefined;
}

/** The columns that a sort goes by, and whether each goes down; undefined where one is no plain column. */
export function readSortKeys(key: string): readonly (ColumnName & { readonly isDown: boolean })[] | undefined {
  let rest = readStrictly(key);
  const keys: (ColumnName & { isDown: boolean })[] = [];
  while (rest !== undefined && rest.length > 0) {
    const [column, behind] = readColumn(rest) ?? [];
    if (column === undefined || behind === undefined) return undefined;
    const isDown = behind[0]?.key === "desc";
    const [comma, ...others] = isDown ? behind.slice(1) : behind;
    if (comma !== undefined && comma.key !== ",") return undefined;
    keys.push({ ...column, isDown });
    rest = others;
  }
  return keys.length === 0 ? undefined : keys;
}

/** A column at the start, with its alias, maybe with its database before that; and what follows. */
function readColumn(tokens: Tokens): readonly [ColumnName, Tokens] | undefined {
  const names: string[] = [];
  let at = 0;
  for (; names.length < 3; at += 2) {
    const token = tokens[at];
    if (token?.kind !== "word" && token?.kind !== "name") return undefined;
    names.push(token.name);
    if (tokens[at + 1]?.key !== ".") break;
  }
  const [column = "", alias] = names.reverse();
  return alias === undefined ? undefined : [{ alias, column }, tokens.slice(at + 1)];
}

/** Without the parentheses around all of it. */
function unwrap(tokens: Tokens): Tokens {
  if (tokens[0]?.key !== "(" || tokens.at(-1)?.key !== ")") return tokens;
  let depth = 0;
  for (const [at, { key }] of tokens.entries()) {
    if (key === "(") depth += 1;
    else if (key === ")" && --depth === 0 && at < tokens.length - 1) return tokens;
  }
  return unwrap(tokens.slice(1, -1));
}
