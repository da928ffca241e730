import type { AttributeMap } from "./answers.js";
import { textOf } from "./attributes.js";

/** `db.system.name` of what is a cache and no database, mostly: its calls are lookups and no queries. */
export const CACHE_SYSTEMS: readonly string[] = ["redis", "memcached", "valkey", "keydb", "dragonfly"];

const READS = new Set(
  "GET GETS GETEX GETDEL MGET HGET HMGET HGETALL SMEMBERS LRANGE ZRANGE JSON.GET JSON.MGET".split(" "),
);

/** Whether a command of such a system reads what was put there before, as its text says, or its operation. */
export function isLookup(attributes: AttributeMap): boolean {
  const text = textOf(attributes, "db.operation.name", "db.operation", "db.query.text", "db.statement") ?? "";
  const [command = ""] = text.slice(0, 20).trimStart().split(" ", 1);
  return READS.has(command.toUpperCase());
}
