import { setImmediate as nextTurn } from "node:timers/promises";

/** Longest piece of work between two turns of the event loop, in ms. */
const SLICE_MS = 1;

/** Runs work to its end in slices, with the app's own work between them; every `yield` is a place where a slice may end. */
export async function runInSlices<Result>(work: Generator<unknown, Result>): Promise<Result> {
  for (let from = performance.now(); ;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - from < SLICE_MS) continue;
    await nextTurn();
    from = performance.now();
  }
}

/** Runs it at once. */
export function runToEnd<Result>(work: Generator<unknown, Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
