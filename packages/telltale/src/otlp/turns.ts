import { startTimer, stopTimer } from "@telltale/core";

/** One at a time, in the order in which they ask. */
export interface Turns {
  /** Whether it is one's turn, after which it must be given back; false where it did not come in this time. */
  take(timeoutMs: number): Promise<boolean>;
  giveBack(): void;
}

export function createTurns(): Turns {
  let isTaken = false;
  const waiting = new Set<() => void>();
  return {
    take(timeoutMs) {
      if (!isTaken) {
        isTaken = true;
        return Promise.resolve(true);
      }
      return new Promise((resolve) => {
        const next = (): void => {
          stopTimer(timer);
          waiting.delete(next);
          resolve(true);
        };
        const timer = startTimer(() => {
          waiting.delete(next);
          resolve(false);
        }, timeoutMs).unref();
        waiting.add(next);
      });
    },
    giveBack() {
      const [next] = waiting;
      if (next === undefined) isTaken = false;
      else next();
    },
  };
}
