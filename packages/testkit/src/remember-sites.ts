import { addListener, type CallSite, type Finding, takeAllSites, type TakenSite } from "@telltale/core";

const MAX_SHAPES = 5_000;

export interface Sites {
  /** Its own, or where its query was called last. */
  of(finding: Finding): CallSite | undefined;
  stop(): void;
}

/** Takes the site of every call, so that the first finding of a query has one, too. */
export function rememberSites(): Sites {
  const last = new Map<string, TakenSite>();
  const stops = [
    takeAllSites(),
    addListener({
      name: "testkit sites",
      operationEnded(operation) {
        if (operation.kind !== "database" || operation.takenSite === undefined) return;
        const { fingerprint } = operation.template;
        if (fingerprint === undefined || (last.size >= MAX_SHAPES && !last.has(fingerprint))) return;
        last.set(fingerprint, operation.takenSite);
        // So that its source map is read by the time that it is asked for.
        operation.takenSite.resolve();
      },
    }),
  ];
  return {
    of: ({ callSite, fingerprint }) =>
      callSite ?? (fingerprint === undefined ? undefined : last.get(fingerprint)?.resolve()),
    stop() {
      for (const stop of stops) stop();
    },
  };
}
