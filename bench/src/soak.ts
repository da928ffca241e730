import { runLoad, startAppServer, type Surroundings } from "./app-server.js";
import type { SoakResult } from "./results.js";
import { slope, spread } from "./statistics.js";
import type { Variant } from "./variants.js";

const MB = 1024 * 1024;
const SAMPLES = 100;
/** The part of the requests that is warm-up: V8 takes a while to settle on the size of its heap. */
const WARM_UP = 0.25;

/**
 * Many requests to one server, its memory looked at a hundred times, each time after a full collection: what V8 leaves lying between
 * two of them is 50 MB up and down, in which no growth by one could be seen.
 */
export async function soak(
  around: Surroundings,
  variant: Variant,
  requests: number,
  say: (line: string) => void,
): Promise<SoakResult> {
  const server = await startAppServer(around, variant);
  const perSample = Math.ceil(requests / SAMPLES);
  const points: [requests: number, rssMb: number][] = [];
  let warmHeap = Number.NaN;
  for (let sample = 1; sample <= SAMPLES; sample++) {
    await runLoad(around, server, "item", perSample);
    const { rssAfterGc, heapAfterGc } = await server.memory();
    if (sample === SAMPLES * WARM_UP) warmHeap = heapAfterGc / MB;
    const rssMb = rssAfterGc / MB;
    say(`soak: ${(sample * perSample).toLocaleString("en")} requests, ${rssMb.toFixed(0)} MB`);
    if (sample > SAMPLES * WARM_UP) points.push([sample * perSample, rssMb]);
  }
  const { heapAfterGc } = await server.memory();
  await server.stop();
  return {
    variant: variant.name,
    requests: perSample * SAMPLES,
    mbPer500k: slope(points) * 500_000,
    rssMb: spread(points.map(([, rssMb]) => rssMb)),
    heapAfterGcMb: { warm: warmHeap, end: heapAfterGc / MB },
  };
}
