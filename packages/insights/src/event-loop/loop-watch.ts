import { type LoopLook, peekAtEventLoop, watchEventLoop } from "@telltale/core";

/** How late a look must come to tell of a block, and how long the loop must have worked before it. */
const LATE_MS = 5;
const SHORTEST_MS = 16;
/** What was heard before this is over. */
const QUIET_MS = 1_000;
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
  /** No operation was heard for a second; told again and again. */
  quiet(): void;
}

export interface LoopWatch {
  /** For how long something that became known at `atMs`, and was asked for at `sinceMs`, was kept by the event loop, in ms: an estimate. */
  delayBefore(atMs: number, sinceMs: number): number;
  stop(): void;
}

/** For options that turn it off. */
export const UNWATCHED: LoopWatch = { delayBefore: () => 0, stop() {} };

interface Seen extends Block {
  /** How long the event loop had waited since the process began, in ms, when the block ended. */
  readonly idleMs: number;
}

/**
 * Finds blocks by how late looks at the event loop come. How much of the time between two looks the loop was waiting is known exactly; where
 * a look was late, the loop is taken to have waited first and worked then, in one piece. A block is told of once it is over.
 */
export function watchLoop(listener: BlockListener): LoopWatch {
  const blocks: Seen[] = [];
  let untold: Seen | undefined;

  /** The block that lasts until the look, if one does. */
  function blockUntil({ nowMs, sinceMs, periodMs, activeMs, idleMs }: LoopLook): Seen | undefined {
    if (sinceMs < periodMs + LATE_MS) return undefined;
    // Late, but waiting all the while: the machine slept, or was busy elsewhere.
    const workedMs = Math.min(activeMs, sinceMs);
    if (workedMs < SHORTEST_MS) return undefined;
    const before = blocks.at(-1);
    const goesOn =
      before !== undefined && idleMs - before.idleMs < RESTED_MS && nowMs - workedMs - before.toMs < AFTER_MS;
    return { fromMs: goesOn ? before.fromMs : nowMs - workedMs, toMs: nowMs, idleMs };
  }

  function notice(look: LoopLook): void {
    const block = blockUntil(look);
    if (look.nowMs - listener.lastHeardMs() > QUIET_MS) listener.quiet();
    const goesOn = untold !== undefined && untold.fromMs === block?.fromMs;
    if (untold !== undefined && !goesOn) listener.over(untold);
    untold = block;
    if (block === undefined) return;
    if (goesOn) blocks.pop();
    blocks.push(block);
    if (blocks.length > MAX_BLOCKS) blocks.shift();
    listener.seen(block);
  }

  /** The block in which something fell. */
  function blockAt(atMs: number): Block | undefined {
    const now = blockUntil(peekAtEventLoop());
    if (now !== undefined && now.fromMs < atMs) return now;
    for (let n = blocks.length - 1; n >= 0; n--) {
      const block = blocks[n];
      if (block === undefined || block.toMs + AFTER_MS < atMs) return undefined;
      if (block.fromMs < atMs) return block;
    }
    return undefined;
  }

  return {
    delayBefore(atMs: number, sinceMs: number) {
      const block = blockAt(atMs);
      if (block === undefined) return 0;
      const toMs = Math.min(atMs, block.toMs);
      const delayMs = Math.max(0, toMs - Math.max(sinceMs, block.fromMs));
      // It had run for longer than the block lasts: when in the block it was over is anybody's guess, and the middle is never far off.
      return block.fromMs - sinceMs > delayMs ? delayMs / 2 : delayMs;
    },
    stop: watchEventLoop("event loop watch", notice),
  };
}
