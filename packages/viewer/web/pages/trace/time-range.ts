/** A stretch of the trace's time, in ms from its start. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Below that there is nothing to see: durations are kept in nanoseconds. */
const SHORTEST_MS = 0.001;

/** All of a trace; never empty, so that one can divide by it. */
export function wholeRange(spans: readonly { readonly startMs: number; readonly durationMs: number }[]): TimeRange {
  let fromMs = 0;
  let toMs = 0;
  for (const { startMs, durationMs } of spans) {
    fromMs = Math.min(fromMs, startMs);
    toMs = Math.max(toMs, startMs + durationMs);
  }
  return { fromMs, toMs: Math.max(toMs, fromMs + SHORTEST_MS) };
}

/** The range between two times in either order, inside of the whole and never too short to see. */
export function rangeBetween(aMs: number, bMs: number, whole: TimeRange): TimeRange {
  const wholeMs = whole.toMs - whole.fromMs;
  const lengthMs = Math.min(wholeMs, Math.max(Math.abs(bMs - aMs), SHORTEST_MS));
  const fromMs = Math.min(Math.max(Math.min(aMs, bMs), whole.fromMs), whole.toMs - lengthMs);
  return { fromMs, toMs: Math.min(fromMs + lengthMs, whole.toMs) };
}

/** `factor` below 1 shows less time. What is under `atMs` stays where it is, as far as the trace's ends allow. */
export function zoom(range: TimeRange, atMs: number, factor: number, whole: TimeRange): TimeRange {
  const wholeMs = whole.toMs - whole.fromMs;
  const lengthMs = Math.min(wholeMs, Math.max((range.toMs - range.fromMs) * factor, Math.min(SHORTEST_MS, wholeMs)));
  const share = (atMs - range.fromMs) / (range.toMs - range.fromMs);
  const fromMs = Math.min(Math.max(atMs - lengthMs * share, whole.fromMs), whole.toMs - lengthMs);
  return { fromMs, toMs: fromMs + lengthMs };
}

/** Moves by a share of what is shown; stops at the trace's ends. */
export function pan(range: TimeRange, share: number, whole: TimeRange): TimeRange {
  const lengthMs = range.toMs - range.fromMs;
  const fromMs = Math.min(Math.max(range.fromMs + lengthMs * share, whole.fromMs), whole.toMs - lengthMs);
  return { fromMs, toMs: fromMs + lengthMs };
}

/** Round times in the range: at most `most` of them, a step of 1, 2 or 5 times a power of ten apart. */
export function tickTimes(range: TimeRange, most: number): number[] {
  const lengthMs = range.toMs - range.fromMs;
  if (!(lengthMs > 0) || !Number.isFinite(lengthMs) || most < 1) return [];
  const power = 10 ** Math.floor(Math.log10(lengthMs / most));
  const stepMs = [1, 2, 5, 10].map((times) => times * power).find((step) => lengthMs / step <= most) ?? 10 * power;
  const ticks: number[] = [];
  // Adding 0 makes 0 of the -0 that rounding up leaves.
  const first = Math.ceil(range.fromMs / stepMs - 1e-9) + 0;
  for (let n = first; n * stepMs <= range.toMs + stepMs * 1e-9 && ticks.length <= most; n++) ticks.push(n * stepMs);
  return ticks;
}

/** Where a piece lies in the range, as shares of its length; undefined where it does not show. What has no length is still a point. */
export function place(
  startMs: number,
  durationMs: number,
  range: TimeRange,
): { readonly left: number; readonly width: number } | undefined {
  const lengthMs = range.toMs - range.fromMs;
  const from = Math.max(startMs, range.fromMs);
  const to = Math.min(startMs + Math.max(durationMs, 0), range.toMs);
  if (to < from) return undefined;
  return { left: (from - range.fromMs) / lengthMs, width: (to - from) / lengthMs };
}

/** The pieces, joined where they meet or are closer than `gapMs`, so that there are never more than can be told apart. */
export function joinPieces(pieces: readonly TimeRange[], gapMs: number): TimeRange[] {
  const joined: { fromMs: number; toMs: number }[] = [];
  for (const piece of [...pieces].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = joined.at(-1);
    if (last && piece.fromMs <= last.toMs + gapMs) last.toMs = Math.max(last.toMs, piece.toMs);
    else joined.push({ ...piece });
  }
  return joined;
}

/** What of `whole` none of the (joined) pieces covers. */
export function leaveOut(whole: TimeRange, pieces: readonly TimeRange[]): TimeRange[] {
  const left: TimeRange[] = [];
  let atMs = whole.fromMs;
  for (const { fromMs, toMs } of pieces) {
    if (fromMs > atMs) left.push({ fromMs: atMs, toMs: Math.min(fromMs, whole.toMs) });
    atMs = Math.max(atMs, toMs);
    if (atMs >= whole.toMs) return left;
  }
  left.push({ fromMs: atMs, toMs: whole.toMs });
  return left;
}
