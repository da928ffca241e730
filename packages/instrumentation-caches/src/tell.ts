import { type CacheResult, type Guard, reportLookup, reportWrite } from "@telltale/core";
import type { Method } from "./patch-methods.js";

/** What a cache is called, for as long as `on`: whoever has wrapped its methods since goes on calling ours. */
export interface Observed {
  readonly name: string;
  on: boolean;
}

/** Tells of one lookup. */
export function tell(observed: Observed, key: unknown, result: CacheResult, guard: Guard): void {
  try {
    if (observed.on && guard.on) reportLookup(observed.name, result, 1, undefined, undefined, key);
  } catch (error) {
    guard.failed(error);
  }
}

/** Promises that were put into a cache: values like any other. */
export const storedPromises = new WeakSet<object>();

/** Makes a `set` that is told of. */
export function hearWrites(observed: Observed, guard: Guard): (original: Method<unknown>) => Method<unknown> {
  return (original) =>
    function patchedSet(this: unknown, key, value) {
      const result = Reflect.apply(original, this, arguments);
      try {
        if (value instanceof Promise) storedPromises.add(value);
        if (observed.on && guard.on) reportWrite(observed.name, key);
      } catch (error) {
        guard.failed(error);
      }
      return result;
    };
}
