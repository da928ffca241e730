import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { LOOP_LATE_MS, LOOP_PERIOD_MS, type LoopLook, watchEventLoop } from "@telltale/core";

/** More than there are in the longest rest: an app's tests may set the clock ahead by a year. */
const MOST_LOOKS = 20;
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

/**
 * The delay that one look stands for, and how many looks on time there would have been besides: a rest counts as so many of the shortest period,
 * so that percentiles are those of the time, however often it was looked.
 */
export function delayOf({ sinceMs, lateMs, activeMs, pieceMs }: LoopLook): { delayMs: number; onTime: number } {
  const rested = Math.round((sinceMs - activeMs) / LOOP_PERIOD_MS);
  // The work that made it late began before it was due; in a long rest it may have been over before that.
  const isKept = lateMs > LOOP_LATE_MS || (rested > 1 && pieceMs > LOOP_LATE_MS);
  return {
    delayMs: isKept ? Math.max(lateMs, pieceMs) : lateMs,
    onTime: Math.max(0, Math.min(MOST_LOOKS, rested) - 1),
  };
}
