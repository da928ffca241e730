import { type LoopLook, peekAtEventLoop, watchEventLoop } from "@telltale/core";

/** Work in one piece of at least this, in ms, is a block: more than there is from one look to the next. */
const SHORTEST_MS = 16;
/** After so long without an operation, in ms, whoever was heard last ran none of the next block. */
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
  /** It was looked at in the middle of a turn, and may go on. */
  readonly isCut: boolean;
}

/**
 * Finds blocks by looking at the event loop: how long it worked in one piece, which is taken to have ended with the look. A block is told of once
 * it is over.
 */
export function watchLoop(listener: BlockListener): LoopWatch {
  const blocks: Seen[] = [];
  let untold: Seen | undefined;

  /** The block that lasts until the look, if one does. */
  function blockUntil({ nowMs, isDue, pieceMs, turns, idleMs }: LoopLook): Seen | undefined {
    const before = blocks.at(-1);
    const goesOn = before?.isCut === true && turns <= 1 && idleMs - before.idleMs < RESTED_MS;
    if (pieceMs < SHORTEST_MS && !goesOn) return undefined;
    return { fromMs: goesOn ? before.fromMs : nowMs - pieceMs, toMs: nowMs, idleMs, isCut: !isDue };
  }

  function notice(look: LoopLook): void {
    if (look.nowMs - listener.lastHeardMs() > QUIET_MS) listener.quiet();
    const block = blockUntil(look);
    const told = untold?.fromMs === block?.fromMs ? undefined : untold;
    untold = block;
    if (told !== undefined) listener.over(told);
    if (block === undefined) return;
    if (blocks.at(-1)?.fromMs === block.fromMs) blocks.pop();
    blocks.push(block);
    if (blocks.length > MAX_BLOCKS) blocks.shift();
    listener.seen(block);
  }

  /** The block in which something fell. */
  function blockAt(atMs: number): Block | undefined {
    const look = peekAtEventLoop();
    const now = look && blockUntil(look);
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
