import { setTimeout as sleep } from "node:timers/promises";
import { type AppServer, type Reading, runLoad, startAppServer, type Surroundings } from "./app-server.js";
import type { Endpoint, Options } from "./options.js";
import { type AfterLoad, type Block, type EndpointResult, summarize } from "./results.js";
import { shuffle } from "./statistics.js";
import { copiesOf, type Variant } from "./variants.js";

const MB = 1024 * 1024;
/** Longer than most agents keep what they have to send. */
const SETTLE_MS = 6_000;

/** For as long as this nothing is asked of any server, and nothing is left over: what they spend then is what being there costs. */
const IDLE_MS = 5_000;
/** From the last block to that: pg closes connections that nobody used for 10 s. */
const CALM_MS = 12_000;

/** So many come before the requests of a block and are not measured: after a rest V8 has made its heap smaller, and caches are cold. */
const LEAD_IN = 1 / 3;

interface Measured {
  readonly server: AppServer;
  readonly blocks: Spent[];
  /** The last block, until the next one begins: what it has put off is still to come. */
  last: { readonly begin: Reading; readonly restsSinceMs: number } | undefined;
}

/** What a server spent on a block and in the rest after it. */
interface Spent {
  readonly begin: Reading;
  readonly end: Reading;
  readonly endMs: number;
  readonly restMs: number;
}

/**
 * All servers are up and warm all the time; blocks of requests go to them in turn, in a new random order each round. What a server
 * spends is read from its block until its next turn, so that work put off (a batch that goes out later) counts. What it spends at rest
 * does not: the more servers take part in a run, the longer each of them rests.
 */
export async function compareUnderLoad(
  around: Surroundings,
  variants: readonly Variant[],
  endpoint: Endpoint,
  { rounds, requests: itemRequests, warmUp: itemWarmUp, servers }: Options,
  say: (line: string) => void,
): Promise<EndpointResult> {
  const share = endpoint === "item" ? 1 : 1 / 3;
  const requests = Math.ceil(itemRequests * share);
  const warmUp = Math.ceil(itemWarmUp * share);
  const leadIn = Math.ceil(requests * LEAD_IN);
  const all: Measured[] = [];
  for (const variant of variants) {
    say(`${endpoint}: warming up ${variant.name}`);
    for (let copies = copiesOf(variant, servers); copies > 0; copies--) {
      const server = await startAppServer(around, variant, { keepsYoung: true });
      all.push({ server, blocks: [], last: undefined });
      await runLoad(around, server, endpoint, warmUp);
    }
  }
  await sleep(SETTLE_MS);
  for (let round = 1; round <= rounds; round++) {
    say(`${endpoint}: round ${round} of ${rounds}`);
    for (const measured of shuffle(all)) {
      await endBlock(measured);
      const { server } = measured;
      await runLoad(around, server, endpoint, leadIn);
      const begin = await server.read();
      await runLoad(around, server, endpoint, requests);
      measured.last = { begin, restsSinceMs: performance.now() };
    }
  }
  say(`${endpoint}: waiting for what is sent late`);
  await sleep(CALM_MS);
  for (const measured of all) await endBlock(measured);
  say(`${endpoint}: at rest`);
  await sleep(IDLE_MS);
  const blocks: Block[] = [];
  const after: AfterLoad[] = [];
  const answered = warmUp + rounds * (leadIn + requests);
  for (const [index, measured] of all.entries()) {
    const idle = await cpuAtRest(measured);
    blocks.push(...blocksOf(measured, index, requests, idle));
    after.push({ ...(await lookAfterLoad(measured.server, answered)), idleMsPerSecond: idle });
  }
  for (const { server } of all) await server.stop();
  return summarize(blocks, after, requests);
}

async function endBlock(measured: Measured): Promise<void> {
  const { last, server, blocks } = measured;
  if (last === undefined) return;
  measured.last = undefined;
  const end = await server.read();
  const endMs = performance.now();
  blocks.push({ begin: last.begin, end, endMs, restMs: endMs - last.restsSinceMs });
}

/** CPU time in ms per second since the last block has ended, which is as many µs per ms. */
async function cpuAtRest({ server, blocks }: Measured): Promise<number> {
  const { end, endMs } = blocks.at(-1) as Spent;
  const spentUs = (await server.read()).cpuUs - end.cpuUs;
  return spentUs / (performance.now() - endMs);
}

function blocksOf({ server, blocks }: Measured, index: number, requests: number, idle: number): Block[] {
  return blocks.map(({ begin, end, restMs }, i) => ({
    round: i + 1,
    variant: server.variant.name,
    server: index,
    cpuUs: (end.cpuUs - begin.cpuUs - idle * restMs) / requests,
    allocatedBytes: (end.allocated - begin.allocated) / requests,
    gcUs: (end.gcUs - begin.gcUs) / requests,
  }));
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
    heapAfterGcMb: memory.heapAfterGc / MB,
  };
}
