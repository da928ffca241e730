import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { type LoopLook, watchEventLoop } from "@telltale/core";

/** A rest counts as a look on time for each of so many ms of it, so that percentiles are those of the time, however often it was looked … */
const LOOK_MS = 11;
/** … for no longer than the longest there is: an app's tests may set the clock ahead by a year. */
const MOST_LOOKS = 20;
/** Whatever came later than this waited for a piece of work, and not only for a timer's whole milliseconds. */
const LATE_MS = 5;
/** The least and the most that Node's histogram takes. */
const ON_TIME_NS = 1;
const LATEST_NS = Number.MAX_SAFE_INTEGER;

export interface LoopDelay {
  /** In nanoseconds, since it was last reset. */
  readonly delays: RecordableHistogram;
  stop(): void;
}

/** How late looks at the event loop come, or would have come had they been more frequent. */
export function watchLoopDelay(): LoopDelay {
  const delays = createHistogram();
  const stop = watchEventLoop("event loop delay", (look) => {
    const { delayMs, onTime } = delayOf(look);
    for (let n = 0; n < onTime; n++) delays.record(ON_TIME_NS);
    delays.record(Math.min(LATEST_NS, Math.max(ON_TIME_NS, Math.round(delayMs * 1e6))));
  });
  return { delays, stop };
}

/** The delay that one look stands for, and how many looks on time there were besides, as the loop rested. */
export function delayOf({ sinceMs, lateMs, activeMs, pieceMs }: LoopLook): { delayMs: number; onTime: number } {
  const rested = Math.round((sinceMs - activeMs) / LOOK_MS);
  // The work that made it late began before it was due; in a long rest it may have been over before that.
  const isKept = lateMs > LATE_MS || (rested > 1 && pieceMs > LATE_MS);
  return {
    delayMs: isKept ? Math.max(lateMs, pieceMs) : lateMs,
    onTime: Math.max(0, Math.min(MOST_LOOKS, rested) - 1),
  };
}
