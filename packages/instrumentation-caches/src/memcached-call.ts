import { context } from "@opentelemetry/api";
import {
  cacheNameOf,
  type DatabaseOperation,
  endOperation,
  failOperation,
  hearsKeys,
  isSuppressed,
  reportKeyOf,
  reportLookupOf,
  siteWanted,
  startDatabaseOperation,
  takeSite,
} from "@telltale/core";
import type { CommandFacts } from "./memcached-commands.js";
import { type Library, shapeOf, targetOf } from "./memcached-target.js";

/** One call of the app to Memcached, whichever client it has. */
export class MemcachedCall {
  readonly operation: DatabaseOperation;
  readonly facts: CommandFacts;
  /** A key, or several. */
  readonly keys: string | readonly string[];
  /** Of the first key. */
  readonly cache: string;

  constructor(operation: DatabaseOperation, facts: CommandFacts, keys: string | readonly string[], cache: string) {
    this.operation = operation;
    this.facts = facts;
    this.keys = keys;
    this.cache = cache;
  }
}

/** Begins a call to `server`, undefined where it is more than one; nothing where nobody is to hear of it. */
export function beginCall(
  library: Library,
  server: string | undefined,
  command: string,
  keys: string | readonly string[] | undefined,
  below: (...args: never[]) => unknown,
): MemcachedCall | undefined {
  const parent = context.active();
  if (isSuppressed(parent)) return undefined;
  const target = targetOf(library, server);
  const shape = shapeOf(target, command, typeof keys === "object");
  const first = typeof keys === "object" ? keys[0] : keys;
  const cache = first === undefined ? "" : cacheNameOf(first);
  const template = first === undefined ? shape.templates.keyless : shape.templates.of(first, cache);
  const operation = startDatabaseOperation(template, undefined, keys, parent);
  if (siteWanted(template)) operation.takenSite = takeSite(template, below);
  return new MemcachedCall(operation, shape.facts, keys ?? [], cache);
}

/** Ends a call that was answered; `isThere` tells which of the keys that it looked up were found. */
export function endCall({ operation, facts, keys, cache }: MemcachedCall, isThere: (key: string) => boolean): void {
  if (operation.endMs !== 0) return;
  if (typeof keys === "object") {
    countKeys(operation, keys, isThere, "miss");
  } else if (facts.isLookup) {
    const result = isThere(keys) ? "hit" : "miss";
    if (result === "hit") operation.cacheHits = 1;
    else operation.cacheMisses = 1;
    if (hearsKeys()) reportKeyOf(operation, cache, keys, result);
    operation.cacheName = reportLookupOf(operation, cache, result, 1);
  } else if (facts.use !== undefined && hearsKeys()) reportKeyOf(operation, cache, keys, facts.use);
  endOperation(operation);
}

/** Ends a call that failed. One for several keys may have found some of them all the same. */
export function failCall(
  { operation, facts, keys, cache }: MemcachedCall,
  error: unknown,
  isThere: (key: string) => boolean = () => false,
): void {
  if (operation.endMs !== 0) return;
  failOperation(operation, error);
  if (typeof keys === "object") countKeys(operation, keys, isThere, "error");
  else if (facts.isLookup) reportLookupOf(operation, cache, "error", 1);
  endOperation(operation);
}

class Tally {
  hits = 0;
  others = 0;
}

function countKeys(
  operation: DatabaseOperation,
  keys: readonly string[],
  isThere: (key: string) => boolean,
  otherwise: "miss" | "error",
): void {
  const tallies = new Map<string, Tally>();
  for (const key of keys) {
    const cache = cacheNameOf(key);
    let tally = tallies.get(cache);
    if (tally === undefined) tallies.set(cache, (tally = new Tally()));
    const isHit = isThere(key);
    if (isHit) tally.hits++;
    else tally.others++;
    if (hearsKeys() && (isHit || otherwise === "miss")) reportKeyOf(operation, cache, key, isHit ? "hit" : "miss");
  }
  for (const [cache, { hits, others }] of tallies) {
    operation.cacheHits += hits;
    if (otherwise === "miss") operation.cacheMisses += others;
    let name: string | undefined;
    if (hits > 0) name = reportLookupOf(operation, cache, "hit", hits);
    if (others > 0) name = reportLookupOf(operation, cache, otherwise, others);
    if (tallies.size === 1) operation.cacheName = name;
  }
}
