import { AsyncLocalStorage, executionAsyncResource } from "node:async_hooks";

/** What Node makes for each call of `process.nextTick`: one of them. */
let kept: object | undefined;

/**
 * Keeps `process.nextTick` fast. Node writes the object that it makes for each tick as a literal with computed keys, and of such a literal V8
 * remembers one hidden class. A class that no object has lives through two full collections: after the third one at rest, when no tick waits, what V8 remembers fits no
 * more, and it makes every such object the slow way for as long as the process lives: four times as slow, on Node 20 to 26, some
 * ten times in a request. A process that is watched is collected at rest more often than one that is not, so one tick is kept from the start.
 */
export function keepTick(): void {
  if (kept !== undefined) return;
  // Not in the context of whoever starts Telltale, which the tick would keep.
  outsideRequests(() => process.nextTick(() => (kept = executionAsyncResource())));
}

const outsideRequests = AsyncLocalStorage.snapshot();
