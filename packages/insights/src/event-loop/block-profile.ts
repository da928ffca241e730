import type { Profiler, Session } from "node:inspector";
import { performance } from "node:perf_hooks";
import { type CallSite, locateFrame, say, startTimer, stopTimer } from "@telltale/core";
import type { Block } from "./loop-watch.js";

/** How often the stack is looked at, in µs: ten times in the shortest block. */
const INTERVAL_US = 5_000;
/** How long a profile waits for a block, in ms, and how seldom one is begun. */
const LASTS_MS = 10_000;
const PAUSE_MS = 60_000;
const MAX_FRAMES = 12;

/** What a profile says of a block. */
export interface BlockProfile {
  readonly callSite: CallSite | undefined;
  /** Functions with files, the innermost first, a line each. */
  readonly stack: string;
}

export interface BlockProfiler {
  /** Begins a profile that waits for the next block, once a minute at most. */
  arm(): void;
  /** What ran in a block, if a profile ran beside it; ends that. */
  take(block: Block): BlockProfile | undefined;
  stop(): void;
}

/**
 * Samples the stack with V8's CPU profiler through an inspector session of its own. To start one costs milliseconds, and while it runs the
 * app is a few per cent slower: so it is for those who ask for it, and runs after a block was found, to catch the next.
 */
export function createBlockProfiler(): BlockProfiler {
  let session: Session | undefined;
  let timer: NodeJS.Timeout | undefined;
  let armedMs = Number.NEGATIVE_INFINITY;

  function end(): Profiler.Profile | undefined {
    stopTimer(timer);
    let profile: Profiler.Profile | undefined;
    // In a session of this thread answers come at once.
    session?.post("Profiler.stop", (error, answer) => {
      if (error === null) profile = answer.profile;
    });
    session?.disconnect();
    session = undefined;
    return profile;
  }

  return {
    arm() {
      const nowMs = performance.now();
      if (session !== undefined || nowMs - armedMs < PAUSE_MS) return;
      armedMs = nowMs;
      try {
        const inspector = process.getBuiltinModule("node:inspector");
        session = new inspector.Session();
        session.connect();
        session.post("Profiler.enable");
        session.post("Profiler.setSamplingInterval", { interval: INTERVAL_US });
        session.post("Profiler.start");
        timer = startTimer(end, LASTS_MS).unref();
      } catch (error) {
        session = undefined;
        say("error", `blocks of the event loop have no stack, the profiler failed: ${String(error)}`);
      }
    },
    take(block) {
      if (session === undefined) return undefined;
      const sinceMs = performance.now();
      const profile = end();
      return profile === undefined ? undefined : read(profile, block, sinceMs);
    },
    stop: () => void end(),
  };
}

/** The stack that was seen most often from the beginning to the end of a block; `endedMs` is when the profile ended. */
function read(profile: Profiler.Profile, { fromMs, toMs }: Block, endedMs: number): BlockProfile | undefined {
  const { nodes, samples = [], timeDeltas = [], startTime, endTime } = profile;
  const fromUs = endTime - (endedMs - fromMs) * 1000;
  const toUs = endTime - (endedMs - toMs) * 1000;
  const ticks = new Map<number, number>();
  let atUs = startTime;
  for (const [n, id] of samples.entries()) {
    atUs += timeDeltas[n] ?? 0;
    if (atUs >= fromUs && atUs <= toUs) ticks.set(id, (ticks.get(id) ?? 0) + 1);
  }
  const parents = new Map<number, Profiler.ProfileNode>();
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const [heaviest] = [...ticks].sort(([, a], [, b]) => b - a);
  const frames: Profiler.ProfileNode[] = [];
  let node = heaviest === undefined ? undefined : byId.get(heaviest[0]);
  while (node !== undefined && frames.length < MAX_FRAMES) {
    frames.push(node);
    node = parents.get(node.id);
  }
  const lines = frames.filter(({ callFrame }) => callFrame.url !== "").map(describeFrame);
  if (lines.length === 0) return undefined;
  for (const frame of frames) {
    const { url, columnNumber, functionName } = frame.callFrame;
    const site = locateFrame(url, lineOf(frame), columnNumber + 1, functionName);
    if (site !== undefined) return { callSite: site, stack: lines.join("\n") };
  }
  return { callSite: undefined, stack: lines.join("\n") };
}

/** The line seen most often; where it was always inside of another function, the line at which its own begins. */
function lineOf({ callFrame, positionTicks = [] }: Profiler.ProfileNode): number {
  const [most] = positionTicks.toSorted((a, b) => b.ticks - a.ticks);
  return most?.line ?? callFrame.lineNumber + 1;
}

function describeFrame(frame: Profiler.ProfileNode): string {
  const { functionName, url } = frame.callFrame;
  return `${functionName || "(anonymous)"} (${url}:${lineOf(frame)})`;
}
