import type { Trace, TraceSpan } from "../../../src/api/answers.js";
import { nameSpan } from "./name-span.js";
import { isBefore } from "./span-tree.js";

/** What spans of one path of names come to, in one of two traces. */
export interface Side {
  readonly count: number;
  readonly totalMs: number;
  readonly selfMs: number;
  readonly errors: number;
  /** Of the first of them; null where there is none. */
  readonly spanId: string | null;
}

export type ChangeOfPath = "new" | "gone" | "more" | "fewer" | "slower" | "faster" | "same";

/** Spans with the same names from the root down, in both traces. */
export interface PathRow {
  readonly service: string;
  readonly name: string;
  readonly level: number;
  readonly before: Side;
  readonly after: Side;
  readonly change: ChangeOfPath;
  /** Of all time, what children took included. */
  readonly differenceMs: number;
  /** What no child explains: added up over all rows, it is what the traces differ by. */
  readonly selfDifferenceMs: number;
}

interface Path {
  readonly service: string;
  readonly name: string;
  readonly children: Map<string, Path>;
  readonly before: Sum;
  readonly after: Sum;
}
interface Sum {
  count: number;
  totalMs: number;
  selfMs: number;
  errors: number;
  spanId: string | null;
  startMs: number;
}

const emptySum = (): Sum => ({ count: 0, totalMs: 0, selfMs: 0, errors: 0, spanId: null, startMs: Infinity });
const newPath = (service: string, name: string): Path => ({
  service,
  name,
  children: new Map(),
  before: emptySum(),
  after: emptySum(),
});

/** Lines up two traces of the same route by the names of their spans, parents before children, brothers by when they first began. */
export function compareTraces(before: Pick<Trace, "spans">, after: Pick<Trace, "spans">): PathRow[] {
  const root = newPath("", "");
  addSpans(root, before.spans, "before");
  addSpans(root, after.spans, "after");
  const rows: PathRow[] = [];
  const waiting = inOrder(root, 0);
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { path, level } = next;
    rows.push({
      service: path.service,
      name: path.name,
      level,
      before: path.before,
      after: path.after,
      change: judge(path.before, path.after),
      differenceMs: path.after.totalMs - path.before.totalMs,
      selfDifferenceMs: path.after.selfMs - path.before.selfMs,
    });
    for (const child of inOrder(path, level + 1)) waiting.push(child);
  }
  return rows;
}

function addSpans(root: Path, spans: readonly TraceSpan[], side: "before" | "after"): void {
  const paths: Path[] = [];
  for (const [index, span] of spans.entries()) {
    const parent = (isBefore(span.parent, index) ? paths[span.parent] : undefined) ?? root;
    const name = nameSpan(span);
    const key = `${span.service}\n${span.kind}\n${name}`;
    let path = parent.children.get(key);
    if (!path) parent.children.set(key, (path = newPath(span.service, name)));
    paths.push(path);
    const sum = path[side];
    sum.count++;
    sum.totalMs += span.durationMs;
    sum.selfMs += span.selfMs;
    if (span.status === "error") sum.errors++;
    if (span.startMs < sum.startMs) {
      sum.startMs = span.startMs;
      sum.spanId = span.spanId;
    }
  }
}

/** Last first, as they are taken from the end. */
function inOrder(path: Path, level: number): { path: Path; level: number }[] {
  const startOf = ({ before, after }: Path): number => (before.count > 0 ? before : after).startMs;
  return [...path.children.values()].sort((a, b) => startOf(b) - startOf(a)).map((path) => ({ path, level }));
}

/** How often comes before how long: a loop that now turns 25 times is no slower query. Below a fifth, or half a millisecond, times vary by themselves. */
function judge(before: Sum, after: Sum): ChangeOfPath {
  if (before.count === 0) return "new";
  if (after.count === 0) return "gone";
  if (after.count !== before.count) return after.count > before.count ? "more" : "fewer";
  const difference = after.totalMs - before.totalMs;
  if (Math.abs(difference) < 0.5 || Math.abs(difference) < before.totalMs / 5) return "same";
  return difference > 0 ? "slower" : "faster";
}

/** Where the difference comes from: most time first, without those that make up less than a hundredth of the longer trace. */
export function rankChanges(rows: readonly PathRow[], most: number): PathRow[] {
  let beforeMs = 0;
  let afterMs = 0;
  for (const row of rows) {
    beforeMs += row.before.selfMs;
    afterMs += row.after.selfMs;
  }
  const least = Math.max(beforeMs, afterMs) / 100;
  return rows
    .filter((row) => Math.abs(row.selfDifferenceMs) > least || row.after.errors !== row.before.errors)
    .sort((a, b) => Math.abs(b.selfDifferenceMs) - Math.abs(a.selfDifferenceMs))
    .slice(0, most);
}
