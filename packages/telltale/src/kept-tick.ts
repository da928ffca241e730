import { executionAsyncResource } from "node:async_hooks";
import { outsideRequests, startTick } from "@telltale/core";

/** What Node makes for each call of `process.nextTick`: one of them. */
let kept: object | undefined;

/**
 * Keeps `process.nextTick` fast. Node writes the object that it makes for each tick as a literal with computed keys, and of such a literal
 * V8 remembers one hidden class. A class that no object has lives through two full collections. After the third one at rest, when no tick
 * waits, what V8 remembers fits no more, and it makes every such object the slow way for as long as the process lives: five to eight times
 * as slow, on Node 20 to 26 (`node --expose-gc test/fixtures/ticks.cjs`). A process that is watched does more at rest, so that it is
 * collected more often; one tick is kept from the start.
 */
export function keepTick(): void {
  if (kept !== undefined) return;
  outsideRequests(() => startTick(() => (kept = executionAsyncResource())));
}
