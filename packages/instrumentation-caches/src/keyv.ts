import { context } from "@opentelemetry/api";
import {
  type CacheResult,
  defineInstrumentation,
  type Guard,
  hearCaches,
  type Instrumentation,
  type InstrumentedModule,
  OuterLookup,
  undoAll,
} from "@telltale/core";
import { lookedUp, written } from "./lookups.js";
import { patchMethods, type Wrap } from "./patch-methods.js";

const LIBRARY = "keyv";

/** What is used of it, in majors 4 to 6. */
interface Keyv {
  /** Of 5 and 6. */
  readonly store?: Store;
  readonly namespace?: string;
  /** Of 4. */
  readonly opts?: { readonly store?: Store; readonly namespace?: string };
  getMany?(keys: unknown): unknown;
}
interface Store {
  /** What an adapter of major 6 stands before. */
  readonly store?: unknown;
  setMany?(entries: unknown): unknown;
}
interface Class {
  readonly prototype: object;
}

const keyv: InstrumentedModule = {
  module: LIBRARY,
  majors: [4, 6],
  target: (exports) => classOf(exports).prototype,
  patch({ exports }, guard) {
    const { prototype } = classOf(exports);
    const lookups = { get: lookup, getMany: lookup, getRaw: lookup, getManyRaw: lookup };
    const undo = [
      hearCaches(prototype),
      patchMethods(prototype, { ...lookups, set, setMany, setRaw: set, setManyRaw: setMany }, guard),
    ];
    return () => undoAll(undo);
  },
};

function classOf(exports: unknown): Class {
  return (exports as { readonly Keyv?: Class }).Keyv ?? (exports as Class);
}

/** Hears what every Keyv finds, those of cache-manager 6 and 7 among them: each of its tiers is one. */
export function keyvInstrumentation(): Instrumentation {
  return defineInstrumentation({ name: LIBRARY, modules: [keyv] });
}

/**
 * The promise is the method's own, made for this call, so that one that follows it can stand for it: it settles in the same way, and is
 * unhandled where that one would be.
 */
const lookup: Wrap<Keyv> = (original, hears, guard) => {
  const isGet = original.name === "get";
  return function patchedLookup(keys) {
    // Since major 5 a list goes to `getMany`.
    if (!hears() || (isGet && Array.isArray(keys) && this.getMany !== undefined)) {
      return Reflect.apply(original, this, arguments);
    }
    let outer: OuterLookup | undefined;
    try {
      if (!isMap(storeOf(this))) outer = new OuterLookup(context.active());
    } catch (error) {
      guard.failed(error);
    }
    const result =
      outer === undefined
        ? Reflect.apply(original, this, arguments)
        : context.with(outer.context, Reflect.apply, undefined, original, this, arguments);
    if (!(result instanceof Promise)) return result;
    return result.then(
      (found: unknown) => {
        tell(this, keys, found, outer, guard);
        return found;
      },
      (error: unknown) => {
        tell(this, keys, FAILED, outer, guard);
        throw error;
      },
    );
  };
};

const FAILED = Symbol("failed");

function tell(cache: Keyv, keys: unknown, found: unknown, outer: OuterLookup | undefined, guard: Guard): void {
  if (outer?.isCounted === true) return;
  try {
    if (!Array.isArray(keys)) lookedUp(cache, LIBRARY, keyIn(cache, keys), resultOf(found));
    else {
      for (const [n, key] of keys.entries()) {
        const value: unknown = found === FAILED ? FAILED : (found as readonly unknown[] | undefined)?.[n];
        lookedUp(cache, LIBRARY, keyIn(cache, key), resultOf(value));
      }
    }
  } catch (error) {
    guard.failed(error);
  }
}

function resultOf(found: unknown): CacheResult {
  if (found === FAILED) return "error";
  return found === undefined ? "miss" : "hit";
}

const set: Wrap<Keyv> = (original, hears, guard) =>
  function patchedSet(key) {
    const result = Reflect.apply(original, this, arguments);
    if (hears()) {
      try {
        if (isMap(storeOf(this))) written(this, LIBRARY, keyIn(this, key));
      } catch (error) {
        guard.failed(error);
      }
    }
    return result;
  };

/** Without a store that takes many, it calls `set` for each. */
const setMany: Wrap<Keyv> = (original, hears, guard) =>
  function patchedSetMany(entries) {
    const result = Reflect.apply(original, this, arguments);
    if (hears() && Array.isArray(entries)) {
      try {
        const store = storeOf(this);
        if (isMap(store) && typeof store?.setMany === "function") {
          for (const { key } of entries as { key: unknown }[]) written(this, LIBRARY, keyIn(this, key));
        }
      } catch (error) {
        guard.failed(error);
      }
    }
    return result;
  };

function storeOf(cache: Keyv): Store | undefined {
  return cache.store ?? cache.opts?.store;
}

/** Whether it is kept in a Map of which nobody else can hear: that is observed where it has a `get` of its own. */
function isMap(store: Store | undefined): boolean {
  const map = store instanceof Map ? store : store?.store;
  return map instanceof Map && !Object.hasOwn(map, "get");
}

/** With the namespace, as it is stored. That of major 4 and 5 is `keyv` unless the app says another. */
function keyIn({ namespace, opts }: Keyv, key: unknown): unknown {
  const given = namespace ?? opts?.namespace;
  return given === undefined || given === LIBRARY ? key : `${given}:${String(key)}`;
}
