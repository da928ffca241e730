import { limitOf } from "@telltale/core";

const QUIET_MS = 60_000;
const MAX_CAUSES = 1_000;
const forgotten = limitOf("finding.causes");

export interface OncePerCause {
  /** How often the cause came since it was last told, this time counted, if it is to be told now; 0 while it was told less than a minute ago. */
  timesToTell(cause: string, now: number): number;
  /** It came again, and is not to be told. */
  cameAgain(cause: string): void;
}

/** The 1,000 causes told last are remembered. */
export function createOncePerCause(): OncePerCause {
  const told = new Map<string, { atMs: number; untold: number }>();
  return {
    timesToTell(cause, now) {
      const before = told.get(cause);
      if (before !== undefined && now - before.atMs < QUIET_MS) {
        before.untold++;
        return 0;
      }
      // Last in the map again, so that the first is the oldest.
      told.delete(cause);
      for (const oldest of told.keys()) {
        if (told.size < MAX_CAUSES) break;
        told.delete(oldest);
        forgotten.total += 1;
      }
      told.set(cause, { atMs: now, untold: 0 });
      return 1 + (before?.untold ?? 0);
    },
    cameAgain(cause) {
      const before = told.get(cause);
      if (before !== undefined) before.untold++;
    },
  };
}
