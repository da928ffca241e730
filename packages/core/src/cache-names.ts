/** Prototypes of caches that an instrumentation hears. */
const heard = new WeakSet();
const names = new WeakMap<object, string>();
/** Most processes name none. */
let isAnyNamed = false;

/** Says that all caches with this prototype are heard: whoever names one need not listen to it. The result takes that back. */
export function hearCaches(prototype: object): () => void {
  heard.add(prototype);
  return () => void heard.delete(prototype);
}

/** Whether a cache is heard by its class. */
export function isHeardCache(cache: object): boolean {
  for (let at: unknown = cache; typeof at === "object" && at !== null; at = Object.getPrototypeOf(at)) {
    if (heard.has(at)) return true;
  }
  return false;
}

/** Names a cache that is heard by its class. The result takes the name back, unless it has another one by then. */
export function nameCache(cache: object, name: string): () => void {
  names.set(cache, name);
  isAnyNamed = true;
  return () => {
    if (names.get(cache) === name) names.delete(cache);
  };
}

/** The name that the app has given to a cache. */
export function nameOfCache(cache: object): string | undefined {
  return isAnyNamed ? names.get(cache) : undefined;
}
