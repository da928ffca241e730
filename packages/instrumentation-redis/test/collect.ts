import { addListener, type CacheLookup, type DatabaseOperation, type Operation } from "@telltale/core";

export interface Heard {
  readonly started: DatabaseOperation[];
  readonly ended: DatabaseOperation[];
  readonly lookups: CacheLookup[];
  /** Names of the operations, in the order in which they ended. */
  names(): (string | undefined)[];
  /** Lookups added up: `{ "user hit": 2 }`. */
  tally(): Record<string, number>;
  clear(): void;
  stop(): void;
}

/** Hears every operation and lookup from now on. */
export function collect(): Heard {
  const started: DatabaseOperation[] = [];
  const ended: DatabaseOperation[] = [];
  const lookups: CacheLookup[] = [];
  const redis = (operation: Operation): operation is DatabaseOperation => operation.kind === "database";
  const stop = addListener({
    name: "test",
    operationStarted: (operation) => void (redis(operation) && started.push(operation)),
    operationEnded: (operation) => void (redis(operation) && ended.push(operation)),
    cacheLooked: (lookup) => void lookups.push(lookup),
  });
  return {
    started,
    ended,
    lookups,
    names: () => ended.map((operation) => operation.template.operationName),
    tally() {
      const sums: Record<string, number> = {};
      for (const { cache, result, keys } of lookups) {
        sums[`${cache} ${result}`] = (sums[`${cache} ${result}`] ?? 0) + keys;
      }
      return sums;
    },
    clear() {
      started.length = 0;
      ended.length = 0;
      lookups.length = 0;
    },
    stop,
  };
}
