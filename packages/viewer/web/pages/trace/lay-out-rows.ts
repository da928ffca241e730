import type { TraceSpan } from "../../../src/api/answers.js";
import { isBefore, type SpanTree } from "./span-tree.js";

/** A line of the waterfall: a span, or many that are alike (`25 × SELECT …`). */
export interface Row {
  /** The span; of a group, its first. */
  readonly index: number;
  /** All spans of a group, by start; undefined for a span. */
  readonly members: readonly number[] | undefined;
  /** What opens and closes it, as in `Folding`. */
  readonly key: string;
  /** From 0; a group's members stand one deeper than the group. */
  readonly level: number;
  readonly isOpen: boolean;
  readonly canOpen: boolean;
  /** Among its brothers, from 1. */
  readonly position: number;
  readonly brothers: number;
}

/** What the reader closed and opened. Keys hold spans' ids, not places, so that they stay true when more spans come in. */
export interface Folding {
  readonly closedSpans: ReadonlySet<string>;
  readonly openGroups: ReadonlySet<string>;
}

export const UNFOLDED: Folding = { closedSpans: new Set(), openGroups: new Set() };

/** Fewer are not worth the click that opens them. */
const GROUP_FROM = 3;

interface Waiting {
  readonly index: number;
  readonly members: readonly number[] | undefined;
  readonly level: number;
  readonly position: number;
  readonly brothers: number;
}

/** The waterfall's lines, top to bottom. With `only`, spans for which it is false are left out, with all below them. */
export function layOutRows(
  spans: readonly TraceSpan[],
  tree: SpanTree,
  folding: Folding,
  only?: (span: TraceSpan) => boolean,
): Row[] {
  const rows: Row[] = [];
  // A stack of our own: a trace may be as deep as it has spans.
  const waiting = placeBrothers(spans, tree.roots, 0, only).reverse();
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { index, members, level, position, brothers } = next;
    const key = members ? groupKey(spans, tree, index) : (tree.keys[index] ?? "");
    const isOpen = members ? folding.openGroups.has(key) : !folding.closedSpans.has(key);
    const inside = members
      ? members.map((member, place) => ({ index: member, members: undefined, level: level + 1, position: place + 1 }))
      : placeBrothers(spans, tree.children[index] ?? [], level + 1, only);
    rows.push({ index, members, key, level, isOpen, canOpen: inside.length > 0, position, brothers });
    if (!isOpen) continue;
    for (const one of inside.toReversed()) waiting.push({ ...one, brothers: inside.length });
  }
  return rows;
}

/** Those that are alike share the place of the first of them. */
function placeBrothers(
  spans: readonly TraceSpan[],
  brothers: readonly number[],
  level: number,
  only: ((span: TraceSpan) => boolean) | undefined,
): Waiting[] {
  const alike = new Map<string, number[]>();
  const shown = only
    ? brothers.filter((index) => {
        const span = spans[index];
        return span !== undefined && only(span);
      })
    : brothers;
  for (const index of shown) {
    const group = spans[index]?.group;
    if (group === null || group === undefined) continue;
    const members = alike.get(group);
    if (members) members.push(index);
    else alike.set(group, [index]);
  }
  const placed: { readonly index: number; readonly members: readonly number[] | undefined }[] = [];
  for (const index of shown) {
    const members = alike.get(spans[index]?.group ?? "");
    if (spans[index]?.group == null || !members || members.length < GROUP_FROM)
      placed.push({ index, members: undefined });
    else if (members[0] === index) placed.push({ index, members });
  }
  return placed.map(({ index, members }, place) => ({
    index,
    members,
    level,
    position: place + 1,
    brothers: placed.length,
  }));
}

function groupKey(spans: readonly TraceSpan[], tree: SpanTree, index: number): string {
  const span = spans[index];
  const parent = span && isBefore(span.parent, index) ? (tree.keys[span.parent] ?? "") : "";
  return `${parent} ${span?.group ?? ""}`;
}

/** So folded that the span has a line of its own, or with `isGroupEnough` one with those that are alike. */
export function unfoldTo(
  spans: readonly TraceSpan[],
  tree: SpanTree,
  folding: Folding,
  index: number,
  isGroupEnough = false,
): Folding {
  const closedSpans = new Set(folding.closedSpans);
  const openGroups = new Set(folding.openGroups);
  let at = index;
  for (;;) {
    const span = spans[at];
    if (!span) break;
    if (span.group !== null && !(isGroupEnough && at === index)) openGroups.add(groupKey(spans, tree, at));
    if (!isBefore(span.parent, at)) break;
    at = span.parent;
    closedSpans.delete(tree.keys[at] ?? "");
  }
  return { closedSpans, openGroups };
}

export function fold(folding: Folding, row: Row, isOpen: boolean): Folding {
  if (!row.canOpen || row.isOpen === isOpen) return folding;
  const closedSpans = new Set(folding.closedSpans);
  const openGroups = new Set(folding.openGroups);
  const isListed = row.members ? isOpen : !isOpen;
  const list = row.members ? openGroups : closedSpans;
  if (isListed) list.add(row.key);
  else list.delete(row.key);
  return { closedSpans, openGroups };
}

/** The line above that holds this one, -1 at the top. */
export function findParentRow(rows: readonly Row[], place: number): number {
  const level = rows[place]?.level ?? 0;
  for (let above = place - 1; above >= 0; above--) if ((rows[above]?.level ?? 0) < level) return above;
  return -1;
}

/** Which lines to draw so that the box shows no gap while it is scrolled. */
export function visibleRows(
  scrollTop: number,
  boxHeight: number,
  rowHeight: number,
  count: number,
): { first: number; end: number } {
  const spare = 8;
  const first = Math.max(0, Math.min(count, Math.floor(scrollTop / rowHeight)) - spare);
  const end = Math.min(count, Math.ceil((scrollTop + boxHeight) / rowHeight) + spare);
  return { first, end: Math.max(first, end) };
}
