import { addListener, type CacheLookup, type Finding, type Operation } from "@telltale/core";

/** What instrumentations have told in this process since the collection began. */
export interface OperationCollection {
  /** In the order in which they began. */
  readonly started: readonly Operation[];
  /** In the order in which they ended. */
  readonly operations: readonly Operation[];
  readonly lookups: readonly CacheLookup[];
  readonly findings: readonly Finding[];
  /** Forgets what was collected. */
  reset(): void;
  /** Ends the collection, and takes away again what it has set. */
  stop(): void;
}

/**
 * Collects operations, cache lookups and findings in memory. It makes no spans and sets nothing: a test that runs many thousand
 * operations is three times as fast as with `collect`.
 */
export function collectOperations(): OperationCollection {
  const started: Operation[] = [];
  const operations: Operation[] = [];
  const lookups: CacheLookup[] = [];
  const findings: Finding[] = [];
  const stop = addListener({
    name: "testkit",
    operationStarted: (operation) => void started.push(operation),
    operationEnded: (operation) => void operations.push(operation),
    cacheLooked: (lookup) => void lookups.push(lookup),
    findingMade: (finding) => void findings.push(finding),
  });
  return {
    started,
    operations,
    lookups,
    findings,
    reset() {
      for (const list of [started, operations, lookups, findings]) list.length = 0;
    },
    stop,
  };
}
