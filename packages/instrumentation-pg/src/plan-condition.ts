/** A part of a condition that an index can serve: a column, and how it is compared with what is known before the row is read. */
export interface Comparison {
  /** The name or alias before the dot. */
  readonly alias: string;
  /** The column, or `lower(column)`. */
  readonly column: string;
  /** The function around it, which an index would have to be on. */
  readonly call: "lower" | "upper" | undefined;
  readonly isEqual: boolean;
  /** The type it is cast to first; undefined for none. */
  readonly cast: string | undefined;
}

/** A column as the server writes it: `o.customer_id`, `"Order"."Id"`. */
const PART = String.raw`(?:"(?:[^"]|"")+"|[a-z_\u0080-\uffff][a-z0-9_$\u0080-\uffff]*)`;
const COLUMN = String.raw`(${PART})\.(${PART})`;
const COMPARED = new RegExp(
  String.raw`^(?:(lower|upper)\()?(\()?${COLUMN}(?:\)::([a-z][a-z ]*))?(\))? (=|<|>|<=|>=) (.+)$`,
  "su",
);
const IS_NULL = new RegExp(String.raw`^${COLUMN} IS NULL$`, "u");
const ANY_COLUMN = new RegExp(String.raw`(?<![\w"$'])${COLUMN}`, "gu");

/** The parts of a condition that are all to be true; one part where they are not joined by AND. */
export function splitConjunction(condition: string): string[] {
  const inner = unwrap(condition);
  const parts: string[] = [];
  let from = 0;
  for (const at of topLevel(inner)) {
    if (inner.startsWith(" OR ", at)) return [inner];
    if (!inner.startsWith(" AND ", at)) continue;
    parts.push(inner.slice(from, at));
    from = at + 5;
  }
  parts.push(inner.slice(from));
  return parts.map(unwrap);
}

/** The comparison in a part of a condition, where there is one that an index could serve. */
export function readComparison(part: string, ownAlias: string): Comparison | undefined {
  const nothing = IS_NULL.exec(part);
  if (nothing !== null) {
    const [, alias = "", column = ""] = nothing;
    return { alias: unquote(alias), column: unquote(column), call: undefined, isEqual: true, cast: undefined };
  }
  const found = COMPARED.exec(part);
  if (found === null) return undefined;
  const [, call, opens, alias = "", column = "", cast, closes, operator, value = ""] = found;
  if ((call === undefined) !== (closes === undefined) || (opens === undefined) !== (cast === undefined))
    return undefined;
  if (unquote(alias) !== ownAlias) return undefined;
  if (columnsIn(value).some((other) => other.alias === ownAlias)) return undefined;
  return {
    alias: ownAlias,
    column: unquote(column),
    call: call as Comparison["call"],
    isEqual: operator === "=",
    cast: cast?.trim(),
  };
}

/** The two columns of `(a.x = b.y)`. */
export function readEquality(part: string): readonly [ColumnName, ColumnName] | undefined {
  const found = new RegExp(String.raw`^\(?${COLUMN}\)?(?:::[a-z ]+)? = \(?${COLUMN}\)?(?:::[a-z ]+)?$`, "u").exec(part);
  if (found === null) return undefined;
  const [, a = "", x = "", b = "", y = ""] = found;
  return [
    { alias: unquote(a), column: unquote(x) },
    { alias: unquote(b), column: unquote(y) },
  ];
}

export interface ColumnName {
  readonly alias: string;
  readonly column: string;
}

/** A sort key that is a plain column. */
export function readSortKey(key: string): (ColumnName & { readonly order: string }) | undefined {
  const found = new RegExp(String.raw`^${COLUMN}((?: DESC| NULLS FIRST| NULLS LAST)*)$`, "u").exec(key);
  if (found === null) return undefined;
  const [, alias = "", column = "", order = ""] = found;
  return { alias: unquote(alias), column: unquote(column), order };
}

/** Whatever looks like a column, outside of strings. */
function columnsIn(expression: string): ColumnName[] {
  const bare = expression.replaceAll(/'(?:[^']|'')*'/g, "''");
  return Array.from(bare.matchAll(ANY_COLUMN), ([, alias = "", column = ""]) => ({
    alias: unquote(alias),
    column: unquote(column),
  }));
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** Without the parentheses around all of it. */
function unwrap(text: string): string {
  if (!text.startsWith("(") || !text.endsWith(")")) return text;
  const inner = text.slice(1, -1);
  let depth = 0;
  for (const { char } of outsideQuotes(inner)) {
    if (char === "(") depth += 1;
    else if (char === ")" && --depth < 0) return text;
  }
  return inner;
}

/** Positions outside of parentheses and quotes. */
function* topLevel(text: string): Generator<number> {
  let depth = 0;
  for (const { char, at } of outsideQuotes(text)) {
    if (char === "(") depth += 1;
    else if (char === ")") depth -= 1;
    else if (depth === 0 && char === " ") yield at;
  }
}

function* outsideQuotes(text: string): Generator<{ char: string; at: number }> {
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote !== "") {
      if (char === quote) quote = "";
    } else if (char === "'" || char === '"') quote = char;
    else yield { char, at };
  }
}
