import { type CacheResult, type Guard, reportLookup, reportWrite } from "@telltale/core";
import type { Method } from "./patch-methods.js";

/** Tells of one lookup. */
export function tell(name: string, key: unknown, result: CacheResult, guard: Guard): void {
  try {
    if (guard.on) reportLookup(name, result, 1, undefined, undefined, key);
  } catch (error) {
    guard.failed(error);
  }
}

/** Makes a `set` that is told of. */
export function hearWrites(name: string, guard: Guard): (original: Method<unknown>) => Method<unknown> {
  return (original) =>
    function patchedSet(this: unknown, key) {
      const result = Reflect.apply(original, this, arguments);
      try {
        if (guard.on) reportWrite(name, key);
      } catch (error) {
        guard.failed(error);
      }
      return result;
    };
}
