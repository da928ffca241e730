import type { Argument } from "./commands.js";

/**
 * How the reply of a cache lookup is read: `value` by nil, `keys` and `fields` by each element's nil, `whole` and `range` (which is a
 * lookup only from 0 to -1) by emptiness.
 */
export type LookupKind = "value" | "keys" | "fields" | "whole" | "range";

const KINDS: ReadonlyMap<string, LookupKind> = new Map([
  ["get", "value"],
  ["getex", "value"],
  ["getdel", "value"],
  ["hget", "value"],
  ["json.get", "value"],
  ["mget", "keys"],
  ["hmget", "fields"],
  ["hgetall", "whole"],
  ["smembers", "whole"],
  ["lrange", "range"],
  ["zrange", "range"],
  ["zrevrange", "range"],
]);

/** How a command looks something up; undefined for EXISTS, TTL, SISMEMBER, scripts, writes: they are no lookups. */
export function lookupKindOf(name: string): LookupKind | undefined {
  return KINDS.get(name);
}

/** False for a range that is not the whole (`LRANGE key 0 9`, `ZRANGE key 0 -1 BYSCORE`), and for a call that asks for nothing. */
export function isLookup(kind: LookupKind, args: readonly Argument[]): boolean {
  if (kind !== "range") return askedFor(kind, args) > 0;
  if (args[1]?.toString() !== "0" || args[2]?.toString() !== "-1") return false;
  for (let i = 3; i < args.length; i++) {
    const option = args[i]?.toString().toUpperCase();
    if (option !== "WITHSCORES" && option !== "REV") return false;
  }
  return true;
}

/** How many keys (or fields) a call asks for. */
export function askedFor(kind: LookupKind, args: readonly Argument[]): number {
  if (kind === "keys") return args.length;
  return kind === "fields" ? args.length - 1 : Math.min(args.length, 1);
}

/**
 * How many of them the server found; -1 for a reply of an unexpected shape, which is then no lookup at all. It reads the reply as the
 * parser made it, before reply transformers, so it may be an array, or with RESP3 a map (`Map` or plain object) or set.
 */
export function found(kind: LookupKind, reply: unknown): number {
  switch (kind) {
    case "value":
      return reply === null || reply === undefined ? 0 : 1;
    case "keys":
    case "fields": {
      if (!Array.isArray(reply)) return -1;
      let hits = 0;
      for (const element of reply) if (element !== null && element !== undefined) hits++;
      return hits;
    }
    case "whole":
    case "range":
      return isEmpty(reply) ? 0 : 1;
  }
}

function isEmpty(reply: unknown): boolean {
  if (reply === null || reply === undefined) return true;
  if (Array.isArray(reply)) return reply.length === 0;
  if (reply instanceof Map || reply instanceof Set) return reply.size === 0;
  if (typeof reply !== "object") return false;
  for (const _ in reply) return false;
  return true;
}

/** Keys of one cache and what came of them. */
export interface Tally {
  hits: number;
  misses: number;
}

/** The outcome of an MGET by the cache that each key belongs to; `reply` undefined counts all keys as misses. */
export function tallyByCache(
  args: readonly Argument[],
  reply: readonly unknown[] | undefined,
  cacheOf: (key: string) => string,
): Map<string, Tally> {
  const tallies = new Map<string, Tally>();
  for (const [i, key] of args.entries()) {
    const cache = cacheOf(key.toString());
    let tally = tallies.get(cache);
    if (tally === undefined) tallies.set(cache, (tally = { hits: 0, misses: 0 }));
    if (reply?.[i] === null || reply?.[i] === undefined) tally.misses++;
    else tally.hits++;
  }
  return tallies;
}
