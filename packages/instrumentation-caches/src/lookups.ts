import { cacheNameOf, type CacheResult, nameOfCache, OVERFLOW_LABEL, reportLookup, reportWrite } from "@telltale/core";

/** Reports what one key of a cache in this process came to. `library` is the name of caches whose keys tell none. */
export function lookedUp(cache: object, library: string, key: unknown, result: CacheResult): void {
  reportLookup(nameOf(cache, library, key), result, 1, undefined, undefined, key);
}

/** Reports that a value was put there. */
export function written(cache: object, library: string, key: unknown): void {
  reportWrite(nameOf(cache, library, key), key);
}

function nameOf(cache: object, library: string, key: unknown): string {
  const given = nameOfCache(cache);
  if (given !== undefined) return given;
  const name = typeof key === "string" ? cacheNameOf(key) : OVERFLOW_LABEL;
  return name === OVERFLOW_LABEL ? library : name;
}
