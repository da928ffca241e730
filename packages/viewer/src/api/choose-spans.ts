import { at } from "./at.js";
import type { TraceTree } from "./trace-tree.js";

/**
 * At most so many spans, in the tree's order: first those that matter, with all above them; then level by level, so that none is without
 * its parent.
 */
export function chooseSpans(tree: TraceTree, most: number, matters: readonly ReadonlySet<number>[]): readonly number[] {
  const { order, parents, depths } = tree;
  if (order.length <= most) return order;
  const chosen = new Set<number>();
  const add = (span: number): void => {
    const missing: number[] = [];
    for (let each = span; each >= 0 && !chosen.has(each); each = at(parents, each)) {
      missing.push(each);
      if (chosen.size + missing.length > most) return;
    }
    for (const each of missing) chosen.add(each);
  };
  for (const spans of matters) {
    for (const span of order) if (spans.has(span)) add(span);
  }
  const byLevel = [...order].sort((a, b) => at(depths, a) - at(depths, b));
  for (const span of byLevel) {
    if (chosen.size >= most) break;
    const parent = at(parents, span);
    if (parent < 0 || chosen.has(parent)) chosen.add(span);
  }
  return order.filter((span) => chosen.has(span));
}
