import {
  type CacheResult,
  defineInstrumentation,
  hearCaches,
  type Instrumentation,
  type InstrumentedModule,
  undoAll,
} from "@telltale/core";
import { lookedUp, written } from "./lookups.js";
import { patchMethods, type Wrap } from "./patch-methods.js";

const LIBRARY = "node-cache";

/** What is used of it; each instance binds the methods of its class as it is made. */
interface NodeCache {
  readonly options: { readonly deleteOnExpire?: boolean };
  /** `t` is when it expires, in ms since the epoch; 0 for never. */
  readonly data: Readonly<Record<string, { readonly t: number } | undefined>>;
}
interface Exports {
  readonly prototype: object;
}

const nodeCache: InstrumentedModule = {
  module: LIBRARY,
  majors: [5, 5],
  target: (exports) => (exports as Exports).prototype,
  patch({ exports }, guard) {
    const { prototype } = exports as Exports;
    const undo = [hearCaches(prototype), patchMethods(prototype, { get, mget, set }, guard)];
    return () => undoAll(undo);
  },
};

/** Hears what every NodeCache of the app finds. */
export function nodeCacheInstrumentation(): Instrumentation {
  return defineInstrumentation({ name: LIBRARY, modules: [nodeCache] });
}

/** `take` calls it as well. */
const get: Wrap<NodeCache> = (original, hears, guard) =>
  function patchedGet(key) {
    const value = Reflect.apply(original, this, arguments);
    if (hears()) {
      try {
        lookedUp(this, LIBRARY, key, resultOf(this, key, value !== undefined));
      } catch (error) {
        guard.failed(error);
      }
    }
    return value;
  };

const mget: Wrap<NodeCache> = (original, hears, guard) =>
  function patchedMget(keys) {
    const found = Reflect.apply(original, this, arguments) as object;
    if (hears()) {
      try {
        for (const key of keys as string[]) {
          lookedUp(this, LIBRARY, key, resultOf(this, key, Object.hasOwn(found, key)));
        }
      } catch (error) {
        guard.failed(error);
      }
    }
    return found;
  };

/** `mset` calls it for each value. */
const set: Wrap<NodeCache> = (original, hears, guard) =>
  function patchedSet(key) {
    const result = Reflect.apply(original, this, arguments);
    if (hears()) {
      try {
        written(this, LIBRARY, key);
      } catch (error) {
        guard.failed(error);
      }
    }
    return result;
  };

function resultOf({ options, data }: NodeCache, key: unknown, isThere: boolean): CacheResult {
  if (!isThere) return "miss";
  // With this option it keeps what has expired, and gives it out.
  if (options.deleteOnExpire !== false) return "hit";
  const { t } = data[key as string] ?? { t: 0 };
  return t !== 0 && t < Date.now() ? "stale" : "hit";
}
