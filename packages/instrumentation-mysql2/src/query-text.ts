/** The text that a method of the driver was called with. */
export function textOf(sql: unknown): string | undefined {
  if (typeof sql === "string") return sql;
  const text = (sql as { sql?: unknown } | null | undefined)?.sql;
  return typeof text === "string" ? text : undefined;
}

/**
 * Whether the text with its placeholders has the shape of what is sent, for which it then stands: it is the same for all values, so that its
 * shape is found by one look-up. A list, an object or a name that takes a placeholder's place changes the shape.
 */
export function keepsShape(sql: unknown, values: unknown): sql is string {
  if (typeof sql !== "string" || !Array.isArray(values) || sql.includes("??")) return false;
  for (const value of values as unknown[]) {
    if (typeof value !== "object" || value === null) continue;
    if (!(value instanceof Date) && !Buffer.isBuffer(value)) return false;
  }
  return true;
}
