import { at } from "./at.js";

/** The spans of a trace, as lists of one length. */
export interface SpanColumns {
  readonly span_id: readonly string[];
  readonly parent_id: readonly string[];
  readonly us: readonly number[];
  readonly ns: readonly number[];
  readonly kind: readonly number[];
  readonly resource: readonly number[];
}

/** Who stands below whom. Spans are named by their index in the columns. */
export interface TraceTree {
  /** -1 for roots. */
  readonly parents: Int32Array;
  /** Those whose parent was named and is not there. */
  readonly orphans: ReadonlySet<number>;
  /** In ns from the earliest; moved into the parent where clocks disagree. */
  readonly starts: Float64Array;
  /** By which they were moved, in ns. */
  readonly skews: Float64Array;
  readonly roots: readonly number[];
  /** By start. */
  readonly children: readonly (readonly number[] | undefined)[];
  /** Parents before their children, brothers by start. */
  readonly order: readonly number[];
  readonly depths: Int32Array;
}

/** Whatever the ids say, what comes of it is a forest: cycles are cut where they begin first, and orphans are roots. */
export function growTree(columns: SpanColumns): TraceTree {
  const { us, ns } = columns;
  const { parents, orphans } = findParents(columns);
  cutCycles(parents, us);
  const lists: (number[] | undefined)[] = us.map(() => undefined);
  const roots: number[] = [];
  for (const [span, parent] of parents.entries()) {
    if (parent < 0) roots.push(span);
    else (lists[parent] ??= []).push(span);
  }
  const first = us.reduce((least, each) => Math.min(least, each), Number.POSITIVE_INFINITY);
  const starts = Float64Array.from(us, (each) => (each - first) * 1000);
  const skews = new Float64Array(us.length);
  const depths = new Int32Array(us.length);
  const byStart = (a: number, b: number): number => at(starts, a) - at(starts, b) || at(ns, b) - at(ns, a) || a - b;
  roots.sort(byStart);
  const order: number[] = [];
  const waiting = roots.toReversed();
  for (let span = waiting.pop(); span !== undefined; span = waiting.pop()) {
    order.push(span);
    const children = lists[span];
    if (children === undefined) continue;
    for (const child of children) {
      depths[child] = at(depths, span) + 1;
      const skew = skewOf(columns, starts, skews, span, child);
      skews[child] = skew;
      starts[child] = at(starts, child) + skew;
    }
    children.sort(byStart);
    for (let index = children.length - 1; index >= 0; index--) waiting.push(children[index] ?? 0);
  }
  return { parents, orphans, starts, skews, roots, children: lists, order, depths };
}

function findParents({ span_id, parent_id }: SpanColumns): { parents: Int32Array; orphans: Set<number> } {
  const byId = new Map<string, number>();
  // Of several spans with one id the first is the parent.
  for (const [span, id] of span_id.entries()) if (!byId.has(id)) byId.set(id, span);
  const parents = new Int32Array(span_id.length);
  const orphans = new Set<number>();
  for (const [span, id] of parent_id.entries()) {
    const parent = id === "" ? undefined : byId.get(id);
    parents[span] = parent === undefined || parent === span ? -1 : parent;
    if (id !== "" && parent === undefined) orphans.add(span);
  }
  return { parents, orphans };
}

function cutCycles(parents: Int32Array, us: readonly number[]): void {
  /** The walk in which a span was first met. */
  const met = new Int32Array(parents.length).fill(-1);
  for (let walk = 0; walk < parents.length; walk++) {
    let span = walk;
    while (span >= 0 && met[span] === -1) {
      met[span] = walk;
      span = at(parents, span);
    }
    if (span < 0 || met[span] !== walk) continue;
    let root = span;
    for (let other = at(parents, span); other !== span; other = at(parents, other)) {
      if (at(us, other) < at(us, root)) root = other;
    }
    parents[root] = -1;
  }
}

const SERVER = 2;
const CLIENT = 3;

/**
 * Within a process there is one clock, so that a child goes where its parent goes. Of another process a child that begins before its
 * parent has another clock; so has one that answers a call and is over later, though it would fit: it is put into the middle.
 */
function skewOf(
  { resource, kind, ns }: SpanColumns,
  starts: Float64Array,
  skews: Float64Array,
  parent: number,
  child: number,
): number {
  if (resource[parent] === resource[child]) return at(skews, parent);
  const late = at(starts, child) - at(starts, parent);
  const spareNs = at(ns, parent) - at(ns, child);
  const isCall = kind[parent] === CLIENT && kind[child] === SERVER;
  if (late >= 0 && (!isCall || late <= spareNs || (spareNs < 0 && late <= at(ns, parent)))) return 0;
  return (isCall && spareNs > 0 ? Math.round(spareNs / 2) : 0) - late;
}
