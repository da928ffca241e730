import { hash } from "node:crypto";
import { analyzeQuery, type SqlDialect } from "@telltale/core";

const DIALECTS: ReadonlyMap<string, SqlDialect> = new Map([
  ["mysql", "mysql"],
  ["mariadb", "mysql"],
  ["sqlite", "sqlite"],
  ["mssql", "mssql"],
  ["microsoft.sql_server", "mssql"],
]);
/** Their texts are no SQL, and are as short as their names for what was done. */
const NO_SQL = new Set(["redis", "memcached", "mongodb", "elasticsearch", "dynamodb", "aws.dynamodb", "couchdb"]);

/** Texts that were analysed, or hashed, before. */
const known = new Map<string, string>();
const MAX_KNOWN = 5_000;
const MAX_KEY = 4_096;

/**
 * What all runs of one query have in common, 16 hex digits: made of the shape of its text, or of its summary where there is no text,
 * in its database.
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
    : (text ?? summary ?? "").slice(0, MAX_KEY);
  const made = hash("sha1", JSON.stringify([system, namespace ?? "", isSql, shape])).slice(0, 16);
  if (key.length <= MAX_KEY) {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(key, made);
  }
  return made;
}
