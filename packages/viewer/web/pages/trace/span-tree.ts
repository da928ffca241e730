import type { TraceSpan } from "../../../src/api/answers.js";

/** A trace's spans as a tree, by their index. */
export interface SpanTree {
  readonly roots: readonly number[];
  readonly children: readonly (readonly number[])[];
  /** Each span's id, and a number with it where another has the same. */
  readonly keys: readonly string[];
  /** How many spans are below each. */
  readonly below: readonly number[];
}

const NONE: readonly number[] = [];

/** Of spans that name their parents; one whose parent does not stand before it is a root, so there is no going round in circles. */
export function growTree(spans: readonly TraceSpan[]): SpanTree {
  const roots: number[] = [];
  const children: number[][] = [];
  for (const [index, { parent }] of spans.entries()) {
    if (!isBefore(parent, index)) roots.push(index);
    else (children[parent] ??= []).push(index);
  }
  const below = Array.from(spans, () => 0);
  for (let index = spans.length - 1; index >= 0; index--) {
    const parent = spans[index]?.parent ?? -1;
    if (isBefore(parent, index)) below[parent] = (below[parent] ?? 0) + (below[index] ?? 0) + 1;
  }
  const seen = new Map<string, number>();
  const keys = spans.map(({ spanId }) => {
    const times = (seen.get(spanId) ?? 0) + 1;
    seen.set(spanId, times);
    return times === 1 ? spanId : `${spanId}~${times}`;
  });
  return { roots, keys, children: Array.from(spans, (_, index) => children[index] ?? NONE), below };
}

export function isBefore(parent: number, index: number): boolean {
  return Number.isInteger(parent) && parent >= 0 && parent < index;
}
