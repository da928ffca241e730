import { codeAt, startsWith } from "./code-at.js";
import { createLabelSet } from "./labels.js";
import { cacheLooked, hearsKeys, keyUsed } from "./listeners.js";
import type { DatabaseOperation } from "./operation.js";
import { countedInside } from "./outer-lookup.js";
import { activeRequest, type Request } from "./request.js";
import { limitOf } from "./self.js";

/** `telltale.cache.result`. There is no official cache convention; this one is Telltale's own. */
export type CacheResult = "hit" | "miss" | "stale" | "error";

/**
 * What became of a key: looked up and there, or not; a value was put there to be read again; or anything else that reads or takes what is
 * there, or makes its answer depend on it: a counter, a lock, a queue.
 */
export type KeyUse = "hit" | "miss" | "write" | "use";

/** A number of keys looked up in one cache with one outcome. */
export class CacheLookup {
  /** `telltale.cache.name`, bounded. */
  readonly cache: string;
  readonly result: CacheResult;
  /** Keys, not calls: an MGET of three keys is three. */
  readonly keys: number;
  /** `db.system.name`, where the cache is a database. */
  readonly system: string | undefined;
  readonly request: Request | undefined;

  constructor(
    cache: string,
    result: CacheResult,
    keys: number,
    system: string | undefined,
    request: Request | undefined,
  ) {
    this.cache = cache;
    this.result = result;
    this.keys = keys;
    this.system = system;
    this.request = request;
  }
}

const MAX_CACHES = 50;
const caches = createLabelSet("telltale.cache.name", MAX_CACHES);

/** Reports lookups in a cache; `key` where it was one, and is known. What is no number of keys is left out: it would spoil sums for ever. */
export function reportLookup(
  cache: string,
  result: CacheResult,
  keys = 1,
  system?: string,
  request: Request | undefined = activeRequest(),
  key?: unknown,
): void {
  if (!(Number.isSafeInteger(keys) && keys >= 0)) return;
  countedInside();
  cacheLooked(new CacheLookup(caches.bound(cache), result, keys, system, request));
  if (result === "error" || !hearsKeys()) return;
  keyUsed(cache, textOfKey(key), result === "miss" ? "miss" : "hit", keys, request, undefined);
}

/** Reports that a value was put into a cache. Whoever reports keys of a cache reports these too. */
export function reportWrite(cache: string, key: unknown): void {
  if (hearsKeys()) keyUsed(cache, textOfKey(key), "write", 1, activeRequest(), undefined);
}

/** Keys that are objects are not told apart. */
function textOfKey(key: unknown): string | undefined {
  return typeof key === "string" ? key : typeof key === "number" ? String(key) : undefined;
}

/** Reports what became of a key that a database call named. To be asked first: `hearsKeys`. */
export function reportKeyOf(operation: DatabaseOperation, cache: string, key: string, use: KeyUse): void {
  keyUsed(cache, key, use, 1, operation.request, operation);
}

/**
 * Reports keys that a database call looked up, for the request that the call was made for (a reply arrives in the context of the
 * connection, not of the caller). Returns the cache's bounded name.
 */
export function reportLookupOf(operation: DatabaseOperation, cache: string, result: CacheResult, keys: number): string {
  countedInside(operation.context);
  const name = caches.bound(cache);
  cacheLooked(new CacheLookup(name, result, keys, operation.template.system, operation.request));
  return name;
}

interface CachePattern {
  readonly matches: (key: string) => boolean;
  readonly name: string;
}
let patterns: readonly CachePattern[] = [];

/** Names caches by key: `{ "user:*:profile": "profiles" }`; `*` stands for any text, the first match wins. */
export function nameCaches(byPattern: Readonly<Record<string, string>>): void {
  patterns = Object.entries(byPattern).map(([pattern, name]) => {
    const source = pattern.replace(/[\\^$.|?+()[\]{}]/g, "\\$&").replaceAll("*", ".*");
    const expression = new RegExp(`^${source}$`, "s");
    return { matches: (key) => expression.test(key), name };
  });
}

/**
 * The cache that a key belongs to: the user's pattern, else the key's first segment (before `:`) if it looks like a word,
 * else `other`. An id is no word: at least one letter, no more digits than letters, at most 32 characters.
 */
export function cacheNameOf(given: string): string {
  const key = "" + given;
  for (const pattern of patterns) if (pattern.matches(key)) return pattern.name;
  if (codeAt(key, ("" + lastWord).length) === COLON && startsWith(key, lastWord)) return lastWord;
  const end = key.indexOf(":");
  if (end <= 0 || end > 32) return "other";
  const segment = key.slice(0, end);
  let word = words.get(segment);
  if (word === undefined) {
    word = isWord(segment);
    if (words.size < MAX_WORDS) words.set(segment, word);
    else unkept.total += 1;
  }
  if (!word) return "other";
  lastWord = segment;
  return segment;
}

/** Keys of one family come one after the other, in an MGET to begin with. */
let lastWord = " ";
const COLON = 58;

/** Segments that were judged before: this runs for every key of every command (230 ns each without, 80 ns with). */
const words = new Map<string, boolean>();
const MAX_WORDS = 1000;
const unkept = limitOf("cache.key_segments");

function isWord(text: string): boolean {
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(text)) return false;
  const digits = text.replace(/[^0-9]/g, "").length;
  return digits * 2 <= text.length && !/^[0-9a-f-]{12,}$/i.test(text);
}
