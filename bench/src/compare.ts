import { setTimeout as sleep } from "node:timers/promises";
import { type AppServer, type Reading, runLoad, startAppServer, type Surroundings } from "./app-server.js";
import type { Endpoint, Options } from "./options.js";
import { type AfterLoad, type Block, type EndpointResult, summarize } from "./results.js";
import { shuffle } from "./statistics.js";
import { BARE, type Variant } from "./variants.js";

const MB = 1024 * 1024;
/** Longer than most agents keep what they have to send. */
const SETTLE_MS = 6_000;

interface Measured {
  readonly server: AppServer;
  /** At the start of every block, and once after the last. */
  readonly readings: Reading[];
}

/**
 * All servers are up and warm all the time; blocks of requests go to them in turn, in a new random order each round. What a server
 * spends is read from the start of its block to the start of its next, so that work put off (a batch that goes out later) counts.
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
      all.push({ server, readings: [] });
      await runLoad(around, server, endpoint, warmUp);
    }
  }
  await sleep(SETTLE_MS);
  for (let round = 1; round <= rounds; round++) {
    say(`${endpoint}: round ${round} of ${rounds}`);
    for (const { server, readings } of shuffle(all)) {
      readings.push(await server.read());
      await runLoad(around, server, endpoint, requests);
    }
  }
  say(`${endpoint}: waiting for what is sent late`);
  await sleep(SETTLE_MS);
  for (const { server, readings } of all) readings.push(await server.read());
  const blocks = all.flatMap((measured, i) => blocksOf(measured, i, requests));
  const after: AfterLoad[] = [];
  for (const { server } of all) {
    after.push(await lookAfterLoad(server, warmUp + rounds * requests));
    await server.stop();
  }
  return summarize(blocks, after, requests);
}

function blocksOf({ server, readings }: Measured, index: number, requests: number): Block[] {
  return readings.slice(1).flatMap((end, i) => {
    const begin = readings[i];
    if (begin === undefined) return [];
    return {
      round: i + 1,
      variant: server.variant.name,
      server: index,
      cpuUs: (end.cpuUs - begin.cpuUs) / requests,
      allocatedBytes: (end.allocated - begin.allocated) / requests,
      gcUs: (end.gcUs - begin.gcUs) / requests,
    };
  });
}

/** Fails where an agent that sends spans has sent none: it would be compared for doing nothing. */
async function lookAfterLoad(server: AppServer, requests: number): Promise<AfterLoad> {
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
