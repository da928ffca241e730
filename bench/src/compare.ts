import { setTimeout as sleep } from "node:timers/promises";
import { type AppServer, type Reading, runLoad, startAppServer, type Surroundings } from "./app-server.js";
import type { Endpoint, Options } from "./options.js";
import { type AfterLoad, type Block, type EndpointResult, summarize } from "./results.js";
import { median, shuffle } from "./statistics.js";
import { copiesOf, type Variant } from "./variants.js";

const MB = 1024 * 1024;
/** Longer than most agents keep what they have to send. */
const SETTLE_MS = 6_000;

/** So often nothing is asked of any server for a second, and nothing is left over: what they spend then is what being there costs. */
const IDLE_SECONDS = 5;
/** From the last block to that: pg closes connections that nobody used for 10 s. */
const CALM_MS = 12_000;

/** So many come before the requests of a block and are not measured: after a rest V8 has made its heap smaller, and caches are cold. */
const LEAD_IN = 2 / 3;

interface Measured {
  readonly server: AppServer;
  readonly blocks: Spent[];
  /** Ends the last block, and is over when that has been read. */
  endBlock: () => Promise<void>;
}

/** What a server spent on a block and on what it had put off. */
interface Spent {
  readonly begin: Reading;
  readonly end: Reading;
  readonly restMs: number;
}

/**
 * All servers are up and warm all the time; blocks of requests go to them in turn, in a new random order each round. What a server
 * spends is read from its block until six seconds later, or its next turn: work put off (a batch that goes out later) counts. What it
 * spends at rest does not, nor what V8 does when a server rests for long: the more servers take part in a run, the longer each rests.
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
      all.push({ server, blocks: [], endBlock: async () => {} });
      await runLoad(around, server, endpoint, warmUp);
    }
  }
  await sleep(SETTLE_MS);
  for (let round = 1; round <= rounds; round++) {
    say(`${endpoint}: round ${round} of ${rounds}`);
    for (const measured of shuffle(all)) {
      await measured.endBlock();
      const { server } = measured;
      await runLoad(around, server, endpoint, leadIn);
      const begin = await server.read();
      await runLoad(around, server, endpoint, requests);
      measured.endBlock = beginRest(measured, begin);
    }
  }
  say(`${endpoint}: waiting for what is sent late`);
  await sleep(CALM_MS);
  for (const { endBlock } of all) await endBlock();
  say(`${endpoint}: at rest`);
  const atRest = await cpuAtRest(all);
  const blocks: Block[] = [];
  const after: AfterLoad[] = [];
  const answered = warmUp + rounds * (leadIn + requests);
  for (const [index, measured] of all.entries()) {
    const idle = atRest[index] ?? 0;
    blocks.push(...blocksOf(measured, index, requests, idle));
    after.push({ ...(await lookAfterLoad(measured.server, answered)), idleMsPerSecond: idle });
  }
  for (const { server } of all) await server.stop();
  return summarize(blocks, after, requests);
}

/** The rest after a block; what is returned ends it, unless it is over by then. */
function beginRest({ server, blocks }: Measured, begin: Reading): () => Promise<void> {
  const restsSinceMs = performance.now();
  const turn = new AbortController();
  const ended = (async () => {
    await sleep(SETTLE_MS, undefined, { signal: turn.signal }).catch(() => {});
    const end = await server.read();
    blocks.push({ begin, end, restMs: performance.now() - restsSinceMs });
  })();
  // Whoever ends it hears of a failure.
  ended.catch(() => {});
  return () => {
    turn.abort();
    return ended;
  };
}

/** CPU time of each server in ms per second, which is as many µs per ms: of the median second, as a full collection may come in any. */
async function cpuAtRest(all: readonly Measured[]): Promise<number[]> {
  const seconds = all.map((): number[] => []);
  let before = await Promise.all(all.map(readCpu));
  for (let second = 0; second < IDLE_SECONDS; second++) {
    await sleep(1_000);
    const now = await Promise.all(all.map(readCpu));
    for (const [index, { cpuUs, ms }] of now.entries()) {
      const earlier = before[index] ?? { cpuUs, ms: 0 };
      seconds[index]?.push((cpuUs - earlier.cpuUs) / (ms - earlier.ms));
    }
    before = now;
  }
  return seconds.map(median);
}

async function readCpu({ server }: Measured): Promise<{ cpuUs: number; ms: number }> {
  const { cpuUs } = await server.read();
  return { cpuUs, ms: performance.now() };
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
