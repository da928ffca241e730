import { replaceMethod, startTimer, stopTimer } from "@telltale/core";
import { hearSignals } from "./lifecycle-signals.js";

/** What must be done before the process ends. */
export interface Ending {
  /** True while there is something to deliver, and somebody there to take it. */
  pending(): boolean;
  /** Calls, at least once, when there is for the first time; at once where there may be from the start. */
  onFirst(call: () => void): void;
  /** Delivers it, without a second try. */
  flush(): Promise<void>;
  /** Longest time that the end may be held back, in ms. */
  limitMs(): number;
}

type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean;

/** Where `emit` is replaced: not on `process` itself, whose own properties an app may list or copy. */
const processPrototype = Object.getPrototypeOf(process) as object;

/**
 * The first `beforeExit` is kept back while a flush keeps the loop alive; Node then emits it again, and that one is the
 * app's. (A listener would not do: the loop drains a second time after the flush, and the app would hear it twice.)
 * Returns what undoes it.
 */
export function flushBeforeExit(ending: Ending): () => void {
  let gaveUp = false;
  return replaceMethod<Emit>(
    processPrototype,
    "emit",
    (find) =>
      function emit(event) {
        if (event !== "beforeExit" || this !== process || gaveUp || !ending.pending()) {
          return Reflect.apply(find(), this, arguments);
        }
        void flushWithin(ending).then((inTime) => {
          gaveUp = !inTime;
        });
        return true;
      },
  );
}

/**
 * Flushes on SIGTERM and SIGINT. A signal that nobody handles still kills, after the flush; where the app handles it, the app decides
 * how it ends. Until there has been something to deliver one that nobody handles kills at once; from then on, where the app keeps the
 * event loop, as soon as that is free. Returns what undoes it.
 */
export function flushOnSignals(ending: Ending): () => void {
  const { hold, stop } = hearSignals(["SIGTERM", "SIGINT"], heard);
  ending.onFirst(hold);

  function heard(signal: NodeJS.Signals): void {
    // Asked before the app hears it: who listens once is gone afterwards.
    if (process.listenerCount(signal) > 0) {
      if (ending.pending()) void ending.flush().catch(() => {});
      return;
    }
    const die = (): void => {
      stop();
      process.kill(process.pid, signal);
    };
    if (ending.pending()) void flushWithin(ending).then(die);
    else die();
  }

  return stop;
}

/** Flushes, for a bounded time; the timer is what keeps the loop alive, as everything that is sent is unref'd. */
export async function flushWithin(ending: Ending, limitMs = ending.limitMs()): Promise<boolean> {
  let release = (): void => {};
  const limit = new Promise<boolean>((resolve) => {
    const timer = startTimer(() => resolve(false), limitMs);
    release = () => stopTimer(timer);
  });
  const flushed = ending.flush().then(
    () => true,
    () => false,
  );
  const inTime = await Promise.race([flushed, limit]);
  release();
  return inTime;
}
