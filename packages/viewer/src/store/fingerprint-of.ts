import { hash } from "node:crypto";
import { analyzeQuery, type SqlDialect } from "@telltale/core";

const DIALECTS: ReadonlyMap<string, SqlDialect> = new Map([
  ["mysql", "mysql"],
  ["mariadb", "mysql"],
  ["sqlite", "sqlite"],
  ["mssql", "mssql"],
  ["microsoft.sql_server", "mssql"],
]);
/** Their texts are no SQL: commands, mostly with keys in them. */
const NO_SQL = new Set(["redis", "memcached", "mongodb", "elasticsearch", "dynamodb", "aws.dynamodb", "couchdb"]);

/** What makes keys differ from each other: numbers, and ids in hexadecimal digits. */
const VALUES = /[\da-f]{12,}|\d+/gi;

/** Texts that were analysed, or hashed, before. */
const known = new Map<string, string>();
const MAX_KNOWN = 5_000;
const MAX_KEY = 4_096;

/**
 * What all runs of one query have in common, 16 hex digits: made of the shape of its text (of SQL without its
 * literals, of commands without numbers), or of its summary where there is no text, in its database.
 */
export function fingerprintOf(
  system: string,
  namespace: string | undefined,
  text: string | undefined,
  summary: string | undefined,
): string {
  const key = JSON.stringify([system, namespace ?? "", text ?? null, text === undefined ? (summary ?? "") : ""]);
  const before = known.get(key);
  if (before !== undefined) return before;
  const isSql = text !== undefined && !NO_SQL.has(system);
  const shape = isSql
    ? analyzeQuery(text, DIALECTS.get(system) ?? "postgresql").fingerprint
    : (text ?? summary ?? "").slice(0, MAX_KEY).replaceAll(VALUES, "?");
  const made = hash("sha1", JSON.stringify([system, namespace ?? "", isSql, shape])).slice(0, 16);
  if (key.length <= MAX_KEY) {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(key, made);
  }
  return made;
}
