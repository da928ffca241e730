import { at } from "./at.js";
import type { TraceTree } from "./trace-tree.js";

/**
 * What the end of the trace waited for: from the end back, the child that was last to end, then the one that was last to end before that
 * began, and so on down. What went on beside them could take longer without anybody noticing.
 */
export function findCriticalPath(tree: TraceTree, ns: readonly number[]): ReadonlySet<number> {
  const { starts, roots, children } = tree;
  const critical = new Set<number>();
  const ends = new Float64Array(ns.length);
  const waiting: { readonly spans: readonly number[]; readonly untilNs: number }[] = [
    { spans: roots, untilNs: Number.POSITIVE_INFINITY },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { spans, untilNs } = next;
    // Of what goes on after its parent, only the part before counts.
    for (const span of spans) ends[span] = Math.min(at(starts, span) + at(ns, span), untilNs);
    const lastFirst = spans
      .filter((span) => at(starts, span) <= untilNs)
      .sort((a, b) => at(ends, b) - at(ends, a) || at(starts, a) - at(starts, b));
    let beforeNs = untilNs;
    for (const span of lastFirst) {
      const endNs = at(ends, span);
      if (endNs > beforeNs) continue;
      beforeNs = at(starts, span);
      critical.add(span);
      const below = children[span];
      if (below !== undefined) waiting.push({ spans: below, untilNs: endNs });
    }
  }
  return critical;
}

/** Of each span's duration, that no child was running in, in ns. */
export function selfTimes({ starts, children }: TraceTree, ns: readonly number[]): Float64Array {
  return Float64Array.from(ns, (duration, span) => {
    const startNs = at(starts, span);
    const endNs = startNs + duration;
    let busyNs = 0;
    let untilNs = startNs;
    for (const child of children[span] ?? []) {
      const toNs = Math.min(endNs, at(starts, child) + at(ns, child));
      if (toNs <= untilNs) continue;
      busyNs += toNs - Math.max(untilNs, at(starts, child));
      untilNs = toNs;
    }
    return duration - busyNs;
  });
}
