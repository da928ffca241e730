import { setTimeout as sleep } from "node:timers/promises";
import { type AppServer, type Reading, runLoad, startAppServer, type Surroundings } from "./app-server.js";
import type { Endpoint, Options } from "./options.js";
import { type AfterLoad, type Block, type EndpointResult, summarize } from "./results.js";
import { shuffle } from "./statistics.js";
import { BARE, type Variant } from "./variants.js";

const MB = 1024 * 1024;
/** Longer than most agents keep what they have to send. */
const SETTLE_MS = 6_000;

/** For as long as this nothing is asked of any server, and nothing is left over: what they spend then is what being there costs. */
const IDLE_MS = 5_000;
/** From the last block to that: pg closes connections that nobody used for 10 s. */
const CALM_MS = 12_000;

interface Measured {
  readonly server: AppServer;
  /** At the start of every block, and once after the last. */
  readonly readings: Reading[];
  /** When each block's last request was answered, and when the next block began. */
  readonly rests: { readonly fromMs: number; toMs: number }[];
}

/**
 * All servers are up and warm all the time; blocks of requests go to them in turn, in a new random order each round. What a server
 * spends is read from the start of its block to the start of its next, so that work put off (a batch that goes out later) counts. What
 * it spends at rest does not: the more servers take part in a run, the longer each of them rests.
 */
export async function compareUnderLoad(
  around: Surroundings,
  variants: readonly Variant[],
  endpoint: Endpoint,
  { rounds, requests: itemRequests, warmUp, bareServers }: Options,
  say: (line: string) => void,
): Promise<EndpointResult> {
  const requests = endpoint === "item" ? itemRequests : Math.ceil(itemRequests / 3);
  const all: Measured[] = [];
  for (const variant of variants) {
    say(`${endpoint}: warming up ${variant.name}`);
    for (let copies = variant.name === BARE ? bareServers : 1; copies > 0; copies--) {
      const server = await startAppServer(around, variant);
      all.push({ server, readings: [], rests: [] });
      await runLoad(around, server, endpoint, warmUp);
    }
  }
  await sleep(SETTLE_MS);
  for (let round = 1; round <= rounds; round++) {
    say(`${endpoint}: round ${round} of ${rounds}`);
    for (const measured of shuffle(all)) {
      await read(measured);
      await runLoad(around, measured.server, endpoint, requests);
      measured.rests.push({ fromMs: performance.now(), toMs: 0 });
    }
  }
  say(`${endpoint}: waiting for what is sent late`);
  await sleep(CALM_MS);
  for (const measured of all) await read(measured);
  say(`${endpoint}: at rest`);
  await sleep(IDLE_MS);
  const blocks: Block[] = [];
  const after: AfterLoad[] = [];
  for (const [index, measured] of all.entries()) {
    const idle = await cpuAtRest(measured);
    blocks.push(...blocksOf(measured, index, requests, idle));
    after.push({ ...(await lookAfterLoad(measured.server, warmUp + rounds * requests)), idleMsPerSecond: idle });
  }
  for (const { server } of all) await server.stop();
  return summarize(blocks, after, requests);
}

async function read({ server, readings, rests }: Measured): Promise<void> {
  readings.push(await server.read());
  const rest = rests.at(-1);
  if (rest !== undefined) rest.toMs = performance.now();
}

/** CPU time in ms per second since the last reading, which is as many µs per ms. */
async function cpuAtRest({ server, readings, rests }: Measured): Promise<number> {
  const sinceMs = rests.at(-1)?.toMs ?? 0;
  const spentUs = (await server.read()).cpuUs - (readings.at(-1)?.cpuUs ?? 0);
  return spentUs / (performance.now() - sinceMs);
}

function blocksOf({ server, readings, rests }: Measured, index: number, requests: number, idle: number): Block[] {
  return rests.flatMap(({ fromMs, toMs }, i) => {
    const [begin, end] = readings.slice(i);
    if (begin === undefined || end === undefined) return [];
    return {
      round: i + 1,
      variant: server.variant.name,
      server: index,
      cpuUs: (end.cpuUs - begin.cpuUs - idle * (toMs - fromMs)) / requests,
      allocatedBytes: (end.allocated - begin.allocated) / requests,
      gcUs: (end.gcUs - begin.gcUs) / requests,
    };
  });
}

/** Fails where an agent that sends spans has sent none: it would be compared for doing nothing. */
async function lookAfterLoad(server: AppServer, requests: number): Promise<Omit<AfterLoad, "idleMsPerSecond">> {
  const { name, sendsSpans } = server.variant;
  const { spans, requests: received, problem } = await server.collected();
  if (problem !== undefined) throw new Error(`${name} sent what the sink cannot read: ${problem}`);
  if (sendsSpans === true && spans === 0) {
    throw new Error(`${name} sent no spans (${received} requests to its collector) after ${requests} requests`);
  }
  const memory = await server.memory();
  return {
    variant: name,
    spansPerRequest: spans / requests,
    rssMb: memory.rss / MB,
    rssAfterGcMb: memory.rssAfterGc / MB,
    heapAfterGcMb: memory.heapAfterGc / MB,
  };
}
