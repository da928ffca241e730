import { annotateOperation, type DatabaseOperation, type Why } from "@telltale/core";
import { formatMs } from "../findings/describe.js";
import type { LoopWatch } from "../event-loop/loop-watch.js";

/** Parts below are not worth a word, in ms. */
const WORTH_MS = 1;

/**
 * Divides the time of a call: waiting for a connection, kept by work in this process, and the rest, which is the server's and the network's.
 * When an answer arrived is not known while the event loop is blocked; the rest is then taken to be at least `medianMs`, what half of the
 * calls of this shape need.
 */
export function divideTime(operation: DatabaseOperation, loop: LoopWatch, medianMs: number): Why {
  const { startMs, waitMs, endMs } = operation;
  const handedMs = startMs + waitMs;
  const workMs = endMs - handedMs;
  // A connection that is free is handed over when the event loop comes to it: that is no waiting for a connection.
  const delayedWaitMs = waitMs > 0 ? loop.delayBefore(handedMs, startMs) : 0;
  const delayedWorkMs = Math.min(loop.delayBefore(endMs, handedMs), Math.max(0, workMs - medianMs));
  const loopDelayMs = delayedWaitMs + delayedWorkMs;
  return {
    waitMs: waitMs - delayedWaitMs,
    loopDelayMs,
    restMs: workMs - delayedWorkMs,
    isEstimate: loopDelayMs > 0,
  };
}

/** `380 ms waiting for a connection, 32.0 ms server and network`; undefined where there is one part only. */
export function describeWhy({ waitMs, loopDelayMs, restMs }: Why): string | undefined {
  const parts = [];
  if (waitMs >= WORTH_MS) parts.push(`${formatMs(waitMs)} waiting for a connection`);
  if (loopDelayMs >= WORTH_MS) parts.push(`about ${formatMs(loopDelayMs)} event-loop delay in this process`);
  if (parts.length === 0) return undefined;
  parts.push(`${formatMs(restMs)} server and network`);
  return parts.join(", ");
}

/** Notes the parts on the call's span. */
export function annotateWhy(operation: DatabaseOperation, why: Why): void {
  annotateOperation(operation, "telltale.why.wait_ms", why.waitMs);
  annotateOperation(operation, "telltale.why.loop_delay_ms", why.loopDelayMs);
  annotateOperation(operation, "telltale.why.rest_ms", why.restMs);
  annotateOperation(operation, "telltale.why.is_estimate", why.isEstimate);
}
