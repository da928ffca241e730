import { attempt, type Guard } from "@telltale/core";
import type { Options, Query } from "./driver.js";

/** Finds out with which options the pool of a query was made; `found` is called just before the query is sent, if that was needed. */
export type OptionsSpy = (query: Query, isNeeded: () => boolean, found: (options: Options | undefined) => void) => void;

/**
 * The driver keeps its options in closures and shows them to what builds parts of a query's text (`sql({ … })`) only. So a query is given one
 * more part, which is empty, from when the driver begins to write its text until that is written: neither the text nor the values change. It
 * is done once for each pool. Releases before 3.1 do not show their options.
 */
export function createSpy(builder: object, guard: Guard): OptionsSpy {
  return (query, isNeeded, found) => {
    /** Set just before the text is written. */
    const state = {
      configurable: true,
      enumerable: true,
      get: () => null,
      set(this: Query, value: object | null) {
        Object.defineProperty(this, "state", { value, writable: true, enumerable: true, configurable: true });
        attempt(guard, () => {
          if (isNeeded()) addPart(this, builder, found);
        });
      },
    };
    Object.defineProperty(query, "state", state);
  };
}

function addPart(query: Query, builder: object, found: (options: Options | undefined) => void): void {
  const { strings, args } = query;
  const part = Object.create(builder) as { build: unknown };
  // The values of a text that is not tagged come after its parts.
  const moreArgs = query.tagged ? [...args, part] : [part, ...args];
  const dropPart = (): void => {
    query.args = args;
    // An error of the driver's may have it by now.
    const at = moreArgs.indexOf(part);
    if (at >= 0) moreArgs.splice(at, 1);
  };
  part.build = (_before: unknown, _parameters: unknown, _types: unknown, options: Options | undefined): string => {
    dropPart();
    found(Array.isArray(options?.host) ? options : undefined);
    return "";
  };
  query.strings = [...strings, ""];
  query.args = moreArgs;
  // The text is written at once.
  queueMicrotask(() => {
    query.strings = strings;
    dropPart();
  });
}
