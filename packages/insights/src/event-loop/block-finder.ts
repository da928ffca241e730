import { performance } from "node:perf_hooks";
import { annotateOperation, type Finding, findingMade, type Operation, type Request } from "@telltale/core";
import { type BlockProfile, createBlockProfiler } from "./block-profile.js";
import { endpointOf, factsOfQuery, factsOfRequest, formatMs, wallTimeOf } from "../findings/describe.js";
import type { Block, BlockListener } from "./loop-watch.js";
import type { InsightsOptions } from "../options.js";

/** Before this, in ms, the app loads its modules: that blocks, and once. */
const STARTED_MS = 10_000;
/** How exactly the beginning of a block is known, in ms. */
const SLACK_MS = 2;

/** Finds out which request ran while the event loop was blocked. */
interface BlockFinder extends BlockListener {
  /** Something of a request began just now. */
  began(operation: Operation): void;
  ended(operation: Operation): void;
  stop(): void;
}

/** What was heard last, and the last silence worth a question. Fields, as variables of a function would make a number on the heap each time. */
class Heard {
  lastMs = performance.now();
  lastRequest: Request | undefined = undefined;
  silentMs = performance.now();
  silentUntilMs = performance.now();
  silentRequest: Request | undefined = undefined;

  hear(request: Request | undefined, nowMs: number, silenceMs: number): void {
    if (nowMs - this.lastMs > silenceMs) {
      this.silentMs = this.lastMs;
      this.silentUntilMs = nowMs;
      this.silentRequest = this.lastRequest;
    }
    this.lastMs = nowMs;
    this.lastRequest = request;
  }
}

/**
 * Work that blocks the event loop follows, in the same turn, on what called it: a request that arrived, an answer that was read. So the
 * request is that of the operation after which nothing was heard for most of the block. A loop that was idle in between leaves it open.
 * Undefined where the event loop is to be left alone.
 */
export function createBlockFinder(options: InsightsOptions): BlockFinder | undefined {
  const { blockMs = 50, profile = false } = options.eventLoop ?? {};
  if (blockMs === 0) return undefined;
  const profiler = profile ? createBlockProfiler() : undefined;
  const createdMs = performance.now();
  /** No two silences so long can be most of one block. */
  const silenceMs = blockMs / 2;
  const heard = new Heard();
  /** Who ran in the block that was seen last: told at once, as what is heard later hides it. */
  let culprit: Request | undefined;

  /** The request after whose last operation nothing was heard for most of the block. */
  function culpritOf({ fromMs, toMs }: Block): Request | undefined {
    const isMost = (sinceMs: number, untilMs: number): boolean =>
      sinceMs >= fromMs - SLACK_MS && Math.min(untilMs, toMs) - sinceMs > (toMs - fromMs) / 2;
    if (isMost(heard.lastMs, toMs)) return heard.lastRequest;
    return isMost(heard.silentMs, heard.silentUntilMs) ? heard.silentRequest : undefined;
  }

  // The operation is given and not the time: a number that is no integer is an object on the heap wherever it is passed on.
  return {
    began(operation) {
      const waitMs = operation.kind === "database" ? operation.waitMs : 0;
      heard.hear(operation.request, operation.startMs + waitMs, silenceMs);
    },
    ended(operation) {
      heard.hear(operation.request, operation.endMs, silenceMs);
    },
    seen(block) {
      culprit = culpritOf(block) ?? culprit;
    },
    over(block) {
      const request = culprit;
      culprit = undefined;
      const durationMs = block.toMs - block.fromMs;
      if (durationMs < blockMs) return;
      if (request === undefined && block.fromMs - createdMs < STARTED_MS) return;
      report(request, block, durationMs, blockMs, profiler?.take(block));
      profiler?.arm();
    },
    lastHeardMs: () => heard.lastMs,
    quiet() {
      // A request that was served long ago must not be held by this.
      heard.lastRequest = undefined;
      heard.silentRequest = undefined;
    },
    stop: () => profiler?.stop(),
  };
}

function report(
  request: Request | undefined,
  block: Block,
  durationMs: number,
  againstMs: number,
  profile: BlockProfile | undefined,
): void {
  const endpoint = endpointOf(request);
  const operation = request?.operation;
  if (operation !== undefined) annotateOperation(operation, "telltale.finding.blocked_ms", durationMs);
  const finding: Finding = {
    ...factsOfRequest(request),
    ...factsOfQuery(undefined),
    kind: "event_loop_blocked",
    title:
      endpoint === undefined
        ? `The event loop was blocked for ${formatMs(durationMs)} outside of any request that is known`
        : `${endpoint} blocked the event loop for ${formatMs(durationMs)}`,
    advice:
      "Nothing else was answered meanwhile: divide the work into steps with setImmediate between them, or move it to a worker thread.",
    count: 1,
    durationMs,
    waitMs: 0,
    againstMs,
    reason: undefined,
    time: wallTimeOf(block.toMs),
    callSite: profile?.callSite,
    evidence: profile && { stack: profile.stack },
  };
  findingMade(finding, operation);
}
