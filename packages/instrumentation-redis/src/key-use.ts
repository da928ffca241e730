import { cacheNameOf, type DatabaseOperation, reportKeyOf } from "@telltale/core";
import type { Argument, CommandFacts } from "./commands.js";
import { found, isLookup } from "./lookup.js";

/**
 * What a command that looks nothing up does to its keys: `value` puts one there, `pairs` many, `none` takes away or dates; all others read
 * or take what is there, or depend on it, as counters, locks and queues do.
 */
export type KeyEffect = "value" | "pairs" | "none" | "use";

const EFFECTS: ReadonlyMap<string, KeyEffect> = new Map([
  ...["set", "setex", "psetex", "hset", "hmset", "json.set"].map((name) => [name, "value"] as const),
  ["mset", "pairs"],
  ...["del", "unlink", "expire", "expireat", "pexpire", "pexpireat", "hexpire", "persist", "touch", "hdel"].map(
    (name) => [name, "none"] as const,
  ),
]);

export function keyEffectOf(name: string): KeyEffect {
  return EFFECTS.get(name) ?? "use";
}

/** Tells what became of the keys of a command that was answered. `cache` is that of the keys looked up; undefined for those of several. */
export function tellKeys(
  operation: DatabaseOperation,
  { name, lookup, keyEffect, keyAt }: CommandFacts,
  args: readonly Argument[],
  cache: string | undefined,
  reply: unknown,
): void {
  const first = args[keyAt];
  if (first === undefined) return;
  if (lookup === "keys") {
    if (!Array.isArray(reply)) return;
    for (let n = 0; n < args.length; n++) {
      const value: unknown = reply[n];
      tell(operation, cache, args[n] ?? "", value === null || value === undefined ? "miss" : "hit");
    }
  } else if (lookup !== undefined && isLookup(lookup, args)) {
    const hits = found(lookup, reply);
    if (hits >= 0) tell(operation, cache, first, hits > 0 ? "hit" : "miss");
  } else if (keyEffect === "pairs") {
    for (let n = 0; n < args.length; n += 2) tell(operation, undefined, args[n] ?? "", "write");
  } else if (keyEffect === "value") {
    tell(operation, cache, first, name === "SET" && isConditional(args) ? "use" : "write");
  } else if (keyEffect === "use") {
    tell(operation, cache, first, "use");
  }
}

function tell(
  operation: DatabaseOperation,
  cache: string | undefined,
  key: Argument,
  use: "hit" | "miss" | "write" | "use",
): void {
  const text = typeof key === "string" ? key : key.toString();
  reportKeyOf(operation, cache ?? cacheNameOf(text), text, use);
}

/** A SET whose answer says what was there: a lock, most often. */
function isConditional(args: readonly Argument[]): boolean {
  for (let n = 2; n < args.length; n++) {
    const word = args[n]?.toString().toUpperCase();
    if (word === "NX" || word === "XX" || word === "GET" || word?.startsWith("IF") === true) return true;
  }
  return false;
}
