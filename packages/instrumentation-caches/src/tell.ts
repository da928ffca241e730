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
    function set(this: unknown, ...args) {
      const result = Reflect.apply(original, this, args);
      try {
        if (guard.on) reportWrite(name, args[0]);
      } catch (error) {
        guard.failed(error);
      }
      return result;
    };
}
