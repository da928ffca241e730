import { startInterval, stopInterval } from "@telltale/core";

/** From one look at the event loop to the next, in ms; a look takes about 1 µs. */
const PERIOD_MS = 10;
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

export interface LoopWatch {
  /** How long something that became known at `atMs`, and not before `sinceMs`, may have been kept by the event loop, in ms: an upper bound. */
  delayBefore(atMs: number, sinceMs: number): number;
  stop(): void;
}

/** For options that turn it off. */
export const UNWATCHED: LoopWatch = { delayBefore: () => 0, stop() {} };

/**
 * Looks at the event loop every 10 ms, and at how late it came to look. How much of the time between two looks the loop was waiting is
 * known exactly; where a look was late, it is taken to have waited first and worked then, in one piece. Holds no process open.
 */
export function watchLoop(blocked: (block: Block) => void): LoopWatch {
  const blocks: { fromMs: number; toMs: number; idle: number }[] = [];
  let lookedMs = performance.now();
  let last = performance.eventLoopUtilization();

  /** The block that lasts until now, if one does. */
  function current(nowMs: number): { fromMs: number; toMs: number; idle: number } | undefined {
    const late = nowMs - lookedMs - PERIOD_MS;
    if (late < LATE_MS) return undefined;
    const loop = performance.eventLoopUtilization();
    const workedMs = Math.min(loop.active - last.active, nowMs - lookedMs);
    // Late, but waiting: the machine slept.
    if (workedMs < late) return undefined;
    const before = blocks.at(-1);
    const goesOn =
      before !== undefined && loop.idle - before.idle < RESTED_MS && nowMs - workedMs - before.toMs < AFTER_MS;
    return { fromMs: goesOn ? before.fromMs : nowMs - workedMs, toMs: nowMs, idle: loop.idle };
  }

  function look(): void {
    const nowMs = performance.now();
    const block = current(nowMs);
    lookedMs = nowMs;
    last = performance.eventLoopUtilization();
    if (block === undefined) return;
    if (blocks.at(-1)?.fromMs === block.fromMs) blocks.pop();
    blocks.push(block);
    if (blocks.length > MAX_BLOCKS) blocks.shift();
    blocked(block);
  }

  const timer = startInterval(look, PERIOD_MS).unref();
  return {
    delayBefore(atMs, sinceMs) {
      const now = current(performance.now());
      for (let n = blocks.length; n >= 0; n--) {
        const block = n === blocks.length ? now : blocks[n];
        if (block === undefined) continue;
        if (block.toMs + AFTER_MS < atMs) return 0;
        if (block.fromMs < atMs) return Math.max(0, Math.min(atMs, block.toMs) - Math.max(sinceMs, block.fromMs));
      }
      return 0;
    },
    stop: () => stopInterval(timer),
  };
}
