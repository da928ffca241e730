/** A name as SQL has it: quoted where it must be. */
export function quoteName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** A table with its schema, unless that is `public`. */
export function tableName(schema: string | undefined, name: string): string {
  return schema === undefined || schema === "public" ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`;
}
