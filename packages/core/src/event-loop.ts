import { performance } from "node:perf_hooks";
import { attempt, createGuard, type Guard } from "./guard.js";
import { outsideRequests } from "./outside-requests.js";
import { startImmediate, startTick, startTimer, stopTimer } from "./timers.js";

/**
 * From one look at the event loop to the next, in ms. None is what an app would choose: Node keeps timers of one duration in one line, and after a
 * block it serves lines by their oldest timer, so with one of ours in front an app's timer of 10 ms would come before its timer of 5.
 */
export const LOOP_PERIOD_MS = 11;
/** While the loop rests, as waking a sleeping process takes it about 0.1 ms: less than a block that matters, so that none falls between two looks … */
const RESTING_MS = 47;
/** … and once it has rested for a second. */
const SLEEPING_MS = 199;
const SLEEPS_AFTER_MS = 1_000;
/** A loop that worked for less of the time since the last look than this, and heard of no operation, rests. */
const RESTS_BELOW = 0.05;
/** A look that came later than this waited for work, and not only for a timer's whole milliseconds. */
export const LOOP_LATE_MS = 5;
/** What one piece of work takes: the turn in which it is, and what led to it. */
const FEW_TURNS = 3;

/** What has become of the event loop since the look before. */
export interface LoopLook {
  /** `performance.now()` of this look. */
  readonly nowMs: number;
  readonly sinceMs: number;
  /** False where an operation ended a rest, in the middle of a turn. */
  readonly isDue: boolean;
  /** How much later it came than it was due; less than 0 where it came earlier. */
  readonly lateMs: number;
  /** How much of `sinceMs` the loop has worked; for the rest it waited. */
  readonly activeMs: number;
  /** About how long the longest piece of that work was: what kept a look that was late, else the mean of the turns, which is the least it can be. */
  readonly pieceMs: number;
  /** How often the loop has turned. Within a turn no timer is served and nothing that arrives is read. */
  readonly turns: number;
  /** How long the loop has waited since the process began. */
  readonly idleMs: number;
}

interface Watcher {
  readonly guard: Guard;
  readonly looked: (look: LoopLook) => void;
}

const watchers = new Set<Watcher>();
const guard = createGuard("looks at the event loop", stopLooking);
let timer: NodeJS.Timeout | undefined;
/** Whether an operation was heard since the last look; one is enough. */
let isHeard = true;
let periodMs = LOOP_PERIOD_MS;
let lookedMs = 0;
let busyMs = 0;
let activeMs = 0;
let turns = 0;

/**
 * Looks at the event loop again and again, with one timer for all who watch, and tells them what has become of it since the last look: every
 * 11 ms, every 47 while the loop rests (works for less than 5 % of the time, and no operation begins or ends), every 199 after a second of
 * that. An operation that ends a rest is a look, too. What `looked` throws is counted for `part`. Holds no process open; the result ends it.
 */
export function watchEventLoop(part: string, looked: (look: LoopLook) => void): () => void {
  const watcher = { guard: createGuard(part, stop), looked };
  function stop(): void {
    watchers.delete(watcher);
    if (watchers.size === 0) stopLooking();
  }
  // What was before belongs to those who watched.
  look(false);
  watchers.add(watcher);
  lookAgain(false);
  return stop;
}

/** What a look would see now; undefined while nobody looks. */
export function peekAtEventLoop(): LoopLook | undefined {
  return isLooking() ? measure(false) : undefined;
}

/** An operation begins or ends. */
export function hearOperation(): void {
  if (isHeard) return;
  isHeard = true;
  if (periodMs > LOOP_PERIOD_MS) look(false);
}

function isLooking(): boolean {
  return guard.on && watchers.size > 0;
}

function measure(isDue: boolean): LoopLook {
  const nowMs = performance.now();
  const loop = performance.eventLoopUtilization();
  const { loopCount } = performance.nodeTiming.uvMetricsInfo;
  const sinceMs = nowMs - lookedMs;
  const lateMs = sinceMs - periodMs;
  const worked = loop.active - activeMs;
  const turned = loopCount - turns;
  // Of a long time the work may have been in several pieces, of which the last one made the look late.
  const isOne = periodMs < SLEEPING_MS || turned <= FEW_TURNS;
  const keptMs = lateMs <= LOOP_LATE_MS ? 0 : isOne ? worked : Math.min(worked, lateMs + LOOP_PERIOD_MS);
  const pieceMs = Math.min(sinceMs, Math.max(keptMs, worked / Math.max(1, turned)));
  return { nowMs, sinceMs, isDue, lateMs, activeMs: worked, pieceMs, turns: turned, idleMs: loop.idle };
}

function look(isDue: boolean): void {
  attempt(guard, () => {
    const seen = measure(isDue);
    lookedMs = seen.nowMs;
    activeMs += seen.activeMs;
    turns += seen.turns;
    if (isHeard || seen.activeMs >= RESTS_BELOW * seen.sinceMs) busyMs = lookedMs;
    // Whoever is told may call what is an operation.
    isHeard = true;
    for (const watcher of watchers) attempt(watcher.guard, () => watcher.looked(seen));
  });
  lookAgain(isDue);
}

function lookAgain(isDue: boolean): void {
  stopTimer(timer);
  if (!isLooking()) return;
  isHeard = false;
  const restedMs = lookedMs - busyMs;
  periodMs = restedMs === 0 ? LOOP_PERIOD_MS : restedMs < SLEEPS_AFTER_MS ? RESTING_MS : SLEEPING_MS;
  // A look that is not due may be in a call of the app's: the request that ended a rest would be kept until another one does.
  if (isDue) wait();
  else startTick(outsideRequests, waitForTurn);
}

function wait(): void {
  timer = startTimer(look, periodMs, true).unref();
}

/** What goes on in the same turn after the call is one piece with it, so the look waits for its end; without a rest, which would part them. */
function waitForTurn(): void {
  attempt(guard, () => {
    stopTimer(timer);
    if (!isLooking()) return;
    if (performance.now() - lookedMs > periodMs) startImmediate(() => void (isLooking() && look(true)));
    else wait();
  });
}

/** Operations are not heard then. */
function stopLooking(): void {
  stopTimer(timer);
  isHeard = true;
}
