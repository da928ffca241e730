import { createGuard, hasListeners, isHeardCache, nameCache } from "@telltale/core";
import { isLruCache, observeLru } from "./observe-lru.js";
import type { Method } from "./patch-methods.js";
import { replaceOwn } from "./replace-own.js";
import { hearWrites, tell } from "./tell.js";

/** Anything with a `get`: a Map, an LRU cache, a client of your own. */
export interface MapLike {
  get(key: never, ...rest: never[]): unknown;
}

const guard = createGuard("observed caches");

/**
 * Counts what this one cache finds, under a name; the README says what of which kind. The object stays the same; the result puts its methods
 * back.
 *
 * @throws TypeError when there is no such function.
 */
export function observeCache(name: string, cache: MapLike): () => void {
  if (typeof name !== "string" || name === "" || typeof cache?.get !== "function") {
    throw new TypeError('observeCache needs a name and an object with a function "get"');
  }
  if (isHeardCache(cache)) return nameCache(cache, name);
  const { stores, store, wrap } = cache as Managed;
  if (Array.isArray(stores) && stores.length > 0 && stores.every(isHeardCache)) {
    const undo = stores.map((tier, n) => nameCache(tier as object, n === 0 ? name : `${name}#${n + 1}`));
    return () => undo.forEach((step) => step());
  }
  if (typeof wrap === "function" && typeof store?.get === "function") return observeCache(name, store);
  const undo = isLruCache(cache) ? observeLru(name, cache, guard) : observeMap(name, cache, cache instanceof Map);
  return () => {
    for (const step of undo) step();
  };
}

/** What cache-manager makes. */
interface Managed {
  /** Of 6 and 7. */
  readonly stores?: unknown;
  /** Of 5. */
  readonly store?: MapLike;
  readonly wrap?: unknown;
}

function observeMap(name: string, cache: MapLike, isMap: boolean): (() => void)[] {
  const found = (key: unknown, value: unknown): unknown => {
    tell(name, key, value === undefined || (value === null && !isMap) ? "miss" : "hit", guard);
    return value;
  };
  const failed = (key: unknown, error: unknown): never => {
    tell(name, key, "error", guard);
    throw error;
  };
  const get = (original: Method<unknown>): Method<unknown> =>
    function patchedGet(this: unknown, key) {
      if (!hasListeners()) return Reflect.apply(original, this, arguments);
      let value: unknown;
      try {
        value = Reflect.apply(original, this, arguments);
      } catch (error) {
        return failed(key, error);
      }
      if (isMap || !(value instanceof Promise)) return found(key, value);
      return value.then(
        (settled: unknown) => found(key, settled),
        (error: unknown) => failed(key, error),
      );
    };
  const undo = [replaceOwn(cache, "get", get)];
  if (typeof Reflect.get(cache, "set") === "function") undo.push(replaceOwn(cache, "set", hearWrites(name, guard)));
  return undo;
}
