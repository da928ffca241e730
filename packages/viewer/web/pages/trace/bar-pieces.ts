import type { TraceSpan } from "../../../src/api/answers.js";
import type { Row } from "./lay-out-rows.js";
import type { SpanTree } from "./span-tree.js";
import { joinPieces, leaveOut, type TimeRange } from "./time-range.js";

/** What a line's bar is made of. */
export interface Bar {
  /** From the first start to the last end. */
  readonly whole: TimeRange;
  /** Drawn full: when the span was at work itself; of a group, when one of its spans ran. */
  readonly busy: readonly TimeRange[];
}

/** More than anyone can tell apart on a screen. */
const MOST_PIECES = 500;

export function makeBar(row: Row, spans: readonly TraceSpan[], tree: SpanTree): Bar {
  if (row.members) {
    const pieces = piecesOf(row.members, spans);
    const whole = { fromMs: pieces[0]?.fromMs ?? 0, toMs: pieces.reduce((last, { toMs }) => Math.max(last, toMs), 0) };
    return { whole, busy: joinPieces(pieces, (whole.toMs - whole.fromMs) / MOST_PIECES) };
  }
  const [whole = { fromMs: 0, toMs: 0 }] = piecesOf([row.index], spans);
  const children = piecesOf(tree.children[row.index] ?? [], spans);
  return { whole, busy: leaveOut(whole, joinPieces(children, (whole.toMs - whole.fromMs) / MOST_PIECES)) };
}

function piecesOf(indices: readonly number[], spans: readonly TraceSpan[]): TimeRange[] {
  return indices.map((index) => {
    const { startMs = 0, durationMs = 0 } = spans[index] ?? {};
    return { fromMs: startMs, toMs: startMs + Math.max(durationMs, 0) };
  });
}

/** Every query waits a few microseconds for its connection: what is less than a fiftieth of the span is not drawn. */
export const isWorthDrawing = (waitedMs: number, { durationMs }: TraceSpan): boolean =>
  waitedMs > 0 && waitedMs >= durationMs / 50;
