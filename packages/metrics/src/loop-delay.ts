import { createHistogram, performance, type RecordableHistogram } from "node:perf_hooks";
import { attempt, createGuard, startTimer, stopTimer } from "@telltale/core";

/**
 * From one look at the event loop to the next, in ms; none that an app would choose. Node keeps timers of one duration in one line, and after a
 * block it serves lines by their oldest timer: with one of ours in front an app's timer of 10 ms would come before its timer of 5.
 */
const PERIOD_MS = 11;
/** The same of a loop that rests: waking a sleeping process takes about 50 µs, and 100 times a second that is 0.5 % of a processor. */
const RESTING_PERIOD_MS = 103;
/** A loop that worked for less of a period than this rests. */
const RESTS_BELOW = 0.05;
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

/**
 * Looks at the event loop again and again, and at how late it came to look. A long period counts as so many short ones, so that
 * percentiles are those of the time, however often it was looked. Holds no process open.
 */
export function watchLoopDelay(): LoopDelay {
  const delays = createHistogram();
  let periodMs = PERIOD_MS;
  let lookedMs = performance.now();
  let last = performance.eventLoopUtilization();
  let restedFor = 0;
  const guard = createGuard("event loop delay");
  let timer = startTimer(look, periodMs).unref();

  function look(): void {
    attempt(guard, measure);
    if (guard.on) timer = startTimer(look, periodMs).unref();
  }

  function measure(): void {
    const nowMs = performance.now();
    const loop = performance.eventLoopUtilization();
    const activeMs = loop.active - last.active;
    const lateMs = nowMs - lookedMs - periodMs;
    // The work that made it late began before it was due.
    const delayMs = lateMs > LATE_MS ? Math.max(lateMs, activeMs) : lateMs;
    for (let ms = periodMs; ms > PERIOD_MS; ms -= PERIOD_MS) delays.record(ON_TIME_NS);
    // An app's tests may set the clock ahead by a year.
    delays.record(Math.min(LATEST_NS, Math.max(ON_TIME_NS, Math.round(delayMs * 1e6))));
    restedFor = activeMs < RESTS_BELOW * (nowMs - lookedMs) ? restedFor + periodMs : 0;
    periodMs = restedFor < RESTING_PERIOD_MS ? PERIOD_MS : RESTING_PERIOD_MS;
    lookedMs = nowMs;
    last = loop;
  }

  return { delays, stop: () => stopTimer(timer) };
}
