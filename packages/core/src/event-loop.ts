import { AsyncLocalStorage } from "node:async_hooks";
import { performance } from "node:perf_hooks";
import { attempt, createGuard, type Guard } from "./guard.js";
import { startTimer, stopTimer } from "./timers.js";

/**
 * From one look at the event loop to the next, in ms: the first while it works or operations are heard, the others in turn while it rests, as
 * waking a sleeping process takes it about 0.1 ms. None that an app would choose: Node keeps timers of one duration in one line, and after a block
 * it serves lines by their oldest timer, so with one of ours in front an app's timer of 10 ms would come before its timer of 5.
 */
const PERIODS_MS = [11, 47, 199] as const;
/** A loop that worked for less of a period than this rests. */
const RESTS_BELOW = 0.05;

/** What has become of the event loop since the look before. */
export interface LoopLook {
  /** `performance.now()` of this look. */
  readonly nowMs: number;
  readonly sinceMs: number;
  /** After how long it was due; it may have come earlier. */
  readonly periodMs: number;
  /** How much of `sinceMs` the loop has worked; for the rest it waited. */
  readonly activeMs: number;
  /** How long it has waited since the process began. */
  readonly idleMs: number;
}

interface Watcher {
  readonly guard: Guard;
  readonly looked: (look: LoopLook) => void;
}

/** True when the next operation is to be told of, which is once for each look. A field, as a variable of a module is looked up by whoever imports it. */
const hearing = { isWanted: false };
const watchers = new Set<Watcher>();
/** A timer keeps what the code that starts it can reach: without this, the request that ended a rest, until another one does. */
const outsideRequests = AsyncLocalStorage.snapshot();
const guard = createGuard("event loop", stopLooking);
let timer: NodeJS.Timeout | undefined;
let periodMs = 0;
let lookedMs = 0;
let lastActiveMs = 0;

/**
 * Looks at the event loop again and again, with one timer for all who watch, and tells them what has become of it: every 11 ms, and up to 199
 * apart while it rests. An operation that starts or ends, and work, end a rest. What `looked` throws is counted for `part`. Holds no process
 * open; the result ends it.
 */
export function watchEventLoop(part: string, looked: (look: LoopLook) => void): () => void {
  const watcher = { guard: createGuard(part, stop), looked };
  function stop(): void {
    watchers.delete(watcher);
    if (watchers.size === 0) stopLooking();
  }
  if (watchers.size === 0) {
    attempt(guard, takeLook);
    lookAfter(0);
  }
  watchers.add(watcher);
  return stop;
}

/** What a look would see now; while nobody watches it means nothing. */
export function peekAtEventLoop(): LoopLook {
  const nowMs = performance.now();
  const { idle, active } = performance.eventLoopUtilization();
  return { nowMs, sinceMs: nowMs - lookedMs, periodMs, activeMs: active - lastActiveMs, idleMs: idle };
}

/** An operation starts or ends. */
export function hearOperation(): void {
  if (!hearing.isWanted) return;
  if (periodMs > PERIODS_MS[0]) look(0);
  hearing.isWanted = false;
}

function takeLook(): LoopLook {
  const seen = peekAtEventLoop();
  lookedMs = seen.nowMs;
  lastActiveMs += seen.activeMs;
  return seen;
}

/** `ifRests` is the period, by its index, that comes next where the loop rests. */
function look(ifRests: number): void {
  let next = 0;
  attempt(guard, () => {
    const seen = takeLook();
    if (hearing.isWanted && seen.activeMs < RESTS_BELOW * seen.sinceMs) next = ifRests;
    for (const watcher of watchers) attempt(watcher.guard, () => watcher.looked(seen));
  });
  if (watchers.size > 0) lookAfter(next);
}

function lookAfter(index: number): void {
  stopTimer(timer);
  if (!guard.on) return;
  hearing.isWanted = true;
  periodMs = PERIODS_MS[index] ?? PERIODS_MS[0];
  const ifRests = Math.min(index + 1, PERIODS_MS.length - 1);
  timer = outsideRequests(() => startTimer(() => look(ifRests), periodMs).unref());
}

function stopLooking(): void {
  stopTimer(timer);
  hearing.isWanted = false;
}
