import { type CacheResult, type Guard, hasListeners } from "@telltale/core";
import type { Method } from "./patch-methods.js";
import { hearWrites, type Observed, tell } from "./tell.js";

/** What is used of an `LRUCache`, in majors 7 to 11. */
interface LruCache {
  readonly allowStale?: boolean;
  get(key: unknown, options?: Options): unknown;
}
interface Options {
  readonly allowStale?: boolean;
  readonly status?: Status;
}
/** What lru-cache itself says of a call, if it is given one to fill; as 7.18 has it, and all later ones. */
interface Status {
  get?: string;
  fetch?: string;
  memo?: string;
  returnedStale?: boolean;
}

export function isLruCache(cache: object): cache is LruCache {
  const { fetch, getRemainingTTL, purgeStale } = cache as Record<string, unknown>;
  return typeof fetch === "function" && typeof getRemainingTTL === "function" && typeof purgeStale === "function";
}

/**
 * Counts what an `LRUCache` finds. Its diagnostics channel (`lru-cache:metrics`, since 11.5) is not used: who subscribes to that makes every
 * LRUCache of the process, and most of them are of libraries, write a report of each call.
 *
 * Which of its methods call each other differs from release to release, so that who has counted nothing by the end of a call counts then.
 */
export function lruMethods(
  state: Observed,
  cache: LruCache,
  guard: Guard,
): Readonly<Record<string, (original: Method<unknown>) => Method<unknown>>> {
  let counted = 0;
  const count = (key: unknown, result: CacheResult): void => {
    counted++;
    tell(state, key, result, guard);
  };

  const get = (original: Method<unknown>): Method<unknown> =>
    function patchedGet(this: unknown, key, options) {
      if (!state.on || !hasListeners() || options === null) return Reflect.apply(original, this, arguments);
      if ((options as Options | undefined)?.allowStale ?? cache.allowStale) {
        const asked = withStatus(options as Options | undefined);
        const value = original.call(this, key, asked);
        count(key, value === undefined ? "miss" : asked.status.returnedStale === true ? "stale" : "hit");
        return value;
      }
      const value = Reflect.apply(original, this, arguments);
      count(key, value === undefined ? "miss" : "hit");
      return value;
    };

  /** `fetch` says what it has found before it waits for anything, so its promise is nobody's business. */
  const slow = (original: Method<unknown>): Method<unknown> =>
    function patchedSlow(this: unknown, key, options) {
      if (!state.on || !hasListeners() || options === null) return Reflect.apply(original, this, arguments);
      const asked = withStatus(options as Options | undefined);
      const before = counted;
      try {
        return original.call(this, key, asked);
      } finally {
        const result = resultOf(asked.status);
        if (counted === before && result !== undefined) count(key, result);
      }
    };

  return { get, fetch: slow, forceFetch: slow, memo: slow, set: hearWrites(state, guard) };
}

/** Options may be inherited. */
function withStatus(options: Options = {}): Options & { readonly status: Status } {
  return { __proto__: Object.getPrototypeOf(options), ...options, status: options.status ?? {} } as Options & {
    readonly status: Status;
  };
}

function resultOf({ fetch, memo, get, returnedStale }: Status): CacheResult | undefined {
  if (returnedStale === true) return "stale";
  const said = fetch === "get" ? get : (memo ?? fetch);
  return said === undefined || said === "hit" ? said : "miss";
}
