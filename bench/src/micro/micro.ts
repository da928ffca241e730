import { createRequire } from "node:module";
import { type Spread, spread } from "../statistics.js";

/** Something small that is done again and again. */
export interface Micro {
  readonly name: string;
  /** How many operations one call does. Default 1. */
  readonly operations?: number;
  run(): unknown;
}

export interface MicroResult {
  readonly name: string;
  readonly ns: Spread;
  readonly bytes: number;
}

const RUNS = 9;
const RUN_MS = 60;

const { startHeapMeter } = createRequire(import.meta.url)("../../app/heap-meter.cjs") as {
  startHeapMeter(): { read(): { allocated: number } };
};

/** CPU time of one operation, in ns, over several runs, and the bytes that it allocates. Needs `--expose-gc`. */
export async function measureMicro({ name, operations = 1, run }: Micro): Promise<MicroResult> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error("needs node --expose-gc");
  const isAsync = run() instanceof Promise;
  const repeat = async (calls: number): Promise<void> => {
    if (isAsync) for (let i = 0; i < calls; i++) await run();
    else repeatNow(run, calls);
  };
  let calls = 1;
  for (let ms = 0; ms < RUN_MS; calls *= 2) {
    const began = performance.now();
    await repeat(calls);
    ms = performance.now() - began;
  }
  const ns: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    collect();
    const before = process.cpuUsage();
    await repeat(calls);
    const { user, system } = process.cpuUsage(before);
    ns.push(((user + system) * 1000) / calls / operations);
  }
  const meter = startHeapMeter();
  await repeat(calls);
  const bytes = meter.read().allocated / calls / operations;
  return { name, ns: spread(ns), bytes };
}

/** What a call returns is kept, or V8 would see that nobody needs it. */
let kept: unknown;
function repeatNow(run: () => unknown, calls: number): unknown {
  for (let i = 0; i < calls; i++) kept = run();
  return kept;
}
