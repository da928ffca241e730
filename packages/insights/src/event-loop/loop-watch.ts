import { performance } from "node:perf_hooks";
import { attempt, createGuard, startTimer, stopTimer } from "@telltale/core";

/**
 * From one look at the event loop to the next, in ms; a look takes about 1 µs. None that an app would choose: Node keeps timers of one
 * duration in one line, and ours in front would change the order in which an app's timers of different durations come after a block.
 */
const PERIOD_MS = 11;
/** The same where no operation was heard for a second: 100 looks a second would take 0.5 % of a processor that has nothing else to do. */
const DOZING_PERIOD_MS = 103;
const AWAKE_MS = 1_000;
/** How late a look must come to tell of a block. */
const LATE_MS = 5;
/** After a block, answers are read in turn; this long after it they are still those that waited for it. */
const AFTER_MS = 5;
/** The loop rests between two blocks, unless it waited for less than this. */
const RESTED_MS = 1;
/** Blocks that are remembered: of half a second at least. */
const MAX_BLOCKS = 32;

/** Time in which this process ran without a look at the event loop. */
export interface Block {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Who wants to know of blocks. */
export interface BlockListener {
  /** A block was seen; it may go on, and is then seen again with the same beginning. */
  seen(block: Block): void;
  /** The block that was seen last is over. */
  over(block: Block): void;
  /** When the last operation began or ended. */
  lastHeardMs(): number;
  /** No operation was heard for a second. */
  dozed(): void;
}

export interface LoopWatch {
  /** True while looks are rare: whoever hears an operation calls `wake` first. */
  readonly isDozing: boolean;
  wake(): void;
  /** For how long something that became known at `atMs`, and was asked for at `sinceMs`, was kept by the event loop, in ms: an estimate. */
  delayBefore(atMs: number, sinceMs: number): number;
  stop(): void;
}

/** For options that turn it off. */
export const UNWATCHED: LoopWatch = { isDozing: false, wake() {}, delayBefore: () => 0, stop() {} };

interface Seen extends Block {
  /** How long the event loop had waited since the process began, in ms, when the block ended. */
  readonly idleMs: number;
}

/**
 * Looks at the event loop every 11 ms, and at how late it came to look. How much of the time between two looks the loop was waiting is
 * known exactly; where a look was late, the loop is taken to have waited first and worked then, in one piece. A block is told of once it is
 * over. Holds no process open.
 */
export function watchLoop(listener: BlockListener): LoopWatch {
  const blocks: Seen[] = [];
  let periodMs = PERIOD_MS;
  let lookedMs = performance.now();
  let last = performance.eventLoopUtilization();
  let untold: Seen | undefined;

  /** The block that lasts until now, if one does. */
  function blockUntil(nowMs: number): Seen | undefined {
    const sinceMs = nowMs - lookedMs;
    if (sinceMs < periodMs + LATE_MS) return undefined;
    const loop = performance.eventLoopUtilization();
    // Late, but waiting all the while: the machine slept, or was busy elsewhere.
    const workedMs = Math.min(loop.active - last.active, sinceMs);
    if (workedMs < PERIOD_MS + LATE_MS) return undefined;
    const before = blocks.at(-1);
    const goesOn =
      before !== undefined && loop.idle - before.idleMs < RESTED_MS && nowMs - workedMs - before.toMs < AFTER_MS;
    return { fromMs: goesOn ? before.fromMs : nowMs - workedMs, toMs: nowMs, idleMs: loop.idle };
  }

  function look(): void {
    timer = undefined;
    attempt(guard, notice);
    if (guard.on) timer ??= startTimer(look, periodMs).unref();
  }

  function notice(): void {
    const nowMs = performance.now();
    const block = blockUntil(nowMs);
    const dozes = nowMs - listener.lastHeardMs() > AWAKE_MS;
    if (dozes && !watch.isDozing) listener.dozed();
    watch.isDozing = dozes;
    lookAgain(nowMs);
    const goesOn = untold !== undefined && untold.fromMs === block?.fromMs;
    if (untold !== undefined && !goesOn) listener.over(untold);
    untold = block;
    if (block === undefined) return;
    if (goesOn) blocks.pop();
    blocks.push(block);
    if (blocks.length > MAX_BLOCKS) blocks.shift();
    listener.seen(block);
  }

  function lookAgain(nowMs: number): void {
    lookedMs = nowMs;
    last = performance.eventLoopUtilization();
    periodMs = watch.isDozing ? DOZING_PERIOD_MS : PERIOD_MS;
    timer = startTimer(look, periodMs).unref();
  }

  /** The block in which something fell. */
  function blockAt(atMs: number): Block | undefined {
    const now = blockUntil(performance.now());
    if (now !== undefined && now.fromMs < atMs) return now;
    for (let n = blocks.length - 1; n >= 0; n--) {
      const block = blocks[n];
      if (block === undefined || block.toMs + AFTER_MS < atMs) return undefined;
      if (block.fromMs < atMs) return block;
    }
    return undefined;
  }

  const guard = createGuard("event loop watch");
  let timer: NodeJS.Timeout | undefined = startTimer(look, PERIOD_MS).unref();
  const watch = {
    isDozing: false,
    wake() {
      stopTimer(timer);
      watch.isDozing = false;
      lookAgain(performance.now());
    },
    delayBefore(atMs: number, sinceMs: number) {
      const block = blockAt(atMs);
      if (block === undefined) return 0;
      const toMs = Math.min(atMs, block.toMs);
      const delayMs = Math.max(0, toMs - Math.max(sinceMs, block.fromMs));
      // It had run for longer than the block lasts: when in the block it was over is anybody's guess, and the middle is never far off.
      return block.fromMs - sinceMs > delayMs ? delayMs / 2 : delayMs;
    },
    stop: () => stopTimer(timer),
  };
  return watch;
}
