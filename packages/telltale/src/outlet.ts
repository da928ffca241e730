import type { Ending } from "./lifecycle.js";

/** One way of telemetry out of the process. */
export interface Outlet {
  /** Whether there is something to deliver. */
  hasMore(): boolean;
  /** Whether the last delivery succeeded; undefined before the first one has ended. */
  delivering(): boolean | undefined;
  forceFlush(): Promise<void>;
  /** Calls when there is something to deliver for the first time; left out where there may be from the start. */
  readonly onFirst?: (call: () => void) => void;
  /** The process may be ending: gives up what it would try again, until the result is called. */
  hurry(): () => void;
}

/** A collector that has answered before is worth waiting for; one that nobody has heard of yet is not. */
const KNOWN_COLLECTOR_MS = 2_000;
const UNKNOWN_COLLECTOR_MS = 500;

/** What has to be done for them before the process ends. */
export function endingOf(outlets: readonly Outlet[]): Ending {
  return {
    pending: () => outlets.some((outlet) => outlet.hasMore() && outlet.delivering() !== false),
    onFirst(call) {
      for (const { onFirst } of outlets) {
        if (onFirst === undefined) call();
        else onFirst(call);
      }
    },
    async flush() {
      const calm = outlets.map((outlet) => outlet.hurry());
      await Promise.allSettled(outlets.map((outlet) => outlet.forceFlush()));
      // An app that handles the signal may go on.
      for (const each of calm) each();
    },
    limitMs: () => (outlets.some((outlet) => outlet.delivering() === true) ? KNOWN_COLLECTOR_MS : UNKNOWN_COLLECTOR_MS),
  };
}
