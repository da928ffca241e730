import { createGuard, hasListeners, isHeardCache, nameCache, say } from "@telltale/core";
import { isLruCache, lruMethods } from "./observe-lru.js";
import type { Method } from "./patch-methods.js";
import { replaceOwn } from "./replace-own.js";
import { hearWrites, type Observed, storedPromises, tell } from "./tell.js";

/** Anything with a `get`: a Map, an LRU cache, a client of your own. */
export interface MapLike {
  get(key: never, ...rest: never[]): unknown;
}

const guard = createGuard("observed caches");
/** By cache, what puts its methods back. */
const observed = new WeakMap<object, () => void>();

/**
 * Counts what this one cache finds, under a name, the newest that it was given; the README says what of which kind. The object stays the
 * same; the result puts its methods back. One whose methods cannot be replaced, as it is frozen, is left alone, with a line that says so.
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
  return observe(name, cache);
}

function observe(name: string, cache: MapLike): () => void {
  observed.get(cache)?.();
  const state: Observed = { name, on: true };
  const methods = isLruCache(cache)
    ? lruMethods(state, cache, guard)
    : { get: mapGet(state, cache instanceof Map), set: hearWrites(state, guard) };
  const undo: (() => void)[] = [];
  const stop = (): void => {
    state.on = false;
    for (const step of undo) step();
    if (observed.get(cache) === stop) observed.delete(cache);
  };
  try {
    for (const [method, wrap] of Object.entries(methods)) {
      if (typeof Reflect.get(cache, method) === "function") undo.push(replaceOwn(cache, method, wrap));
    }
    observed.set(cache, stop);
  } catch (error) {
    stop();
    say("error", `the cache ${name} is not observed, its methods cannot be replaced: ${String(error)}`);
  }
  return stop;
}

/** What cache-manager makes. */
interface Managed {
  /** Of 6 and 7. */
  readonly stores?: unknown;
  /** Of 5. */
  readonly store?: MapLike;
  readonly wrap?: unknown;
}

function mapGet(state: Observed, isMap: boolean): (original: Method<unknown>) => Method<unknown> {
  const found = (key: unknown, value: unknown): void =>
    tell(state, key, value === undefined || (value === null && !isMap) ? "miss" : "hit", guard);
  const failed = (key: unknown): void => tell(state, key, "error", guard);
  return (original) =>
    function patchedGet(this: unknown, key) {
      if (!state.on || !hasListeners()) return Reflect.apply(original, this, arguments);
      let value: unknown;
      try {
        value = Reflect.apply(original, this, arguments);
      } catch (error) {
        failed(key);
        throw error;
      }
      if (!isMap && value instanceof Promise && !storedPromises.has(value)) {
        value.then(
          (settled: unknown) => found(key, settled),
          () => failed(key),
        );
        return following(value);
      }
      found(key, value);
      return value;
    };
}

/** By promise, the one that the app gets in its place. */
const followers = new WeakMap<Promise<unknown>, Promise<unknown>>();

/**
 * As ours is handled, another one has to fail where nobody handles it; and it is one for all who get the same promise, as then one who handles it
 * is enough.
 */
function following(promise: Promise<unknown>): Promise<unknown> {
  let follower = followers.get(promise);
  if (follower === undefined) followers.set(promise, (follower = promise.then()));
  return follower;
}
