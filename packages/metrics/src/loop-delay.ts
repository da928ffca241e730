import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { watchEventLoop } from "@telltale/core";

/** A rest counts as a look on time for each of so many ms of it, so that percentiles are those of the time, however often it was looked. */
const LOOK_MS = 11;
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

/** How late looks at the event loop come. */
export function watchLoopDelay(): LoopDelay {
  const delays = createHistogram();
  const stop = watchEventLoop("event loop delay", ({ sinceMs, periodMs, activeMs }) => {
    const lateMs = sinceMs - periodMs;
    // The work that made it late began before it was due.
    const delayMs = lateMs > LATE_MS ? Math.max(lateMs, activeMs) : lateMs;
    for (let ms = Math.min(periodMs, sinceMs - activeMs); ms > LOOK_MS; ms -= LOOK_MS) delays.record(ON_TIME_NS);
    // An app's tests may set the clock ahead by a year.
    delays.record(Math.min(LATEST_NS, Math.max(ON_TIME_NS, Math.round(delayMs * 1e6))));
  });
  return { delays, stop };
}
