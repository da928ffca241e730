/** A list that takes the place of one placeholder. */
const LIST = /\bIN\s*(?:\(\s*\?\s*\)|\?)/gi;

/** The text as far as its shape goes: the driver puts the values in as it sends, and a list then is several. */
export function textOf(sql: string, values: unknown): string {
  if (!Array.isArray(values) || !values.some((value) => Array.isArray(value) && value.length > 1)) return sql;
  return sql.replace(LIST, "IN (?, ?)");
}
