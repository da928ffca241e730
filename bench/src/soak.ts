import { type AppServer, runLoad, startAppServer, type Surroundings } from "./app-server.js";
import type { SoakGrowth, SoakResult } from "./results.js";
import { slope, spread } from "./statistics.js";
import type { Variant } from "./variants.js";

const MB = 1024 * 1024;
const SAMPLES = 100;
/** The part of the requests that is warm-up: V8 takes a while to settle on the size of its heap. */
const WARM_UP = 0.25;

/**
 * Many requests to a server, and as many to the bare app, in turns: what V8 and the allocator take over the hours is the same for both.
 * Memory is looked at a hundred times, each time after a full collection: what V8 leaves lying between two of them is 50 MB up and down,
 * in which no growth by one could be seen.
 */
export async function soak(
  around: Surroundings,
  bare: Variant,
  variant: Variant,
  requests: number,
  say: (line: string) => void,
): Promise<SoakResult> {
  const soaked = [await startSoaked(around, bare), await startSoaked(around, variant)] as const;
  const perSample = Math.ceil(requests / SAMPLES);
  for (let sample = 1; sample <= SAMPLES; sample++) {
    for (const { server, points } of soaked) {
      await runLoad(around, server, "item", perSample);
      const { rssAfterGc, heapAfterGc } = await server.memory();
      points.push({ requests: sample * perSample, rssMb: rssAfterGc / MB, heapMb: heapAfterGc / MB });
    }
    const [alone, watched] = soaked.map(({ points }) => `${points.at(-1)?.rssMb.toFixed(0)} MB`);
    say(`soak: ${(sample * perSample).toLocaleString("en")} requests each, ${watched}, bare ${alone}`);
  }
  for (const { server } of soaked) await server.stop();
  const [alone, watched] = [growth(soaked[0].points), growth(soaked[1].points)];
  return {
    variant: variant.name,
    requests: perSample * SAMPLES,
    ...watched,
    mbPer500k: watched.mbPer500k - alone.mbPer500k,
    bare: alone,
  };
}

interface Point {
  readonly requests: number;
  readonly rssMb: number;
  readonly heapMb: number;
}

async function startSoaked(around: Surroundings, variant: Variant): Promise<{ server: AppServer; points: Point[] }> {
  return { server: await startAppServer(around, variant), points: [] };
}

function growth(points: readonly Point[]): SoakGrowth {
  const warm = points.slice(SAMPLES * WARM_UP);
  return {
    mbPer500k: slope(warm.map(({ requests, rssMb }) => [requests, rssMb] as const)) * 500_000,
    rssMb: spread(warm.map(({ rssMb }) => rssMb)),
    heapAfterGcMb: { warm: warm[0]?.heapMb ?? Number.NaN, end: warm.at(-1)?.heapMb ?? Number.NaN },
  };
}
