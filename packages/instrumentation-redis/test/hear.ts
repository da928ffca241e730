import type { CacheLookup, DatabaseOperation } from "@telltale/core";
import { collectOperations } from "@telltale/testkit";

/** A collection as these tests ask it: every operation is a command. */
export interface Heard {
  readonly started: readonly DatabaseOperation[];
  readonly ended: readonly DatabaseOperation[];
  readonly lookups: readonly CacheLookup[];
  /** Names of the operations, in the order in which they ended. */
  names(): (string | undefined)[];
  /** Lookups added up: `{ "user hit": 2 }`. */
  tally(): Record<string, number>;
  clear(): void;
  stop(): void;
}

/** Hears every operation and lookup from now on. */
export function hear(): Heard {
  const { started, operations, lookups, reset, stop } = collectOperations();
  const ended = operations as readonly DatabaseOperation[];
  return {
    started: started as readonly DatabaseOperation[],
    ended,
    lookups,
    names: () => ended.map(({ template }) => template.operationName),
    tally() {
      const sums: Record<string, number> = {};
      for (const { cache, result, keys } of lookups) {
        sums[`${cache} ${result}`] = (sums[`${cache} ${result}`] ?? 0) + keys;
      }
      return sums;
    },
    clear: reset,
    stop,
  };
}
