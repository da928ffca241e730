import { setTimeout as sleep } from "node:timers/promises";
import { type AppServer, runLoad, startAppServer, type Surroundings } from "./app-server.js";
import { blocksBetween, type Moment, restRate } from "./blocks.js";
import type { Endpoint, Options } from "./options.js";
import { type AfterLoad, type Block, type EndpointResult, summarize } from "./results.js";
import { shuffle } from "./statistics.js";
import { copiesOf, type Variant } from "./variants.js";

const MB = 1024 * 1024;
/** For so long nothing is asked of any server, and nothing is left over: what they spend then is what being there costs. */
const IDLE_MS = 10_000;
/** From the last block to that: longer than most agents keep what they have to send, and pg closes connections that nobody used for 10 s. */
const CALM_MS = 12_000;

/** A block comes in so many slices, between those of the other servers: the machine's speed changes from second to second. */
const SLICES = 10;

interface Measured {
  readonly server: AppServer;
  /** At the begin of each round, after the last, and after the rest that follows. */
  readonly moments: Moment[];
  /** How long it has been asked something, in all. */
  busyMs: number;
}

/**
 * All servers are up and warm all the time. In each round every one answers a block of requests, slice by slice in a new random order,
 * so that none rests for long. All that a server spends from one round's begin to the next counts, work put off with it (a batch that
 * goes out later), but for what it spends at rest anyway.
 */
export async function compareUnderLoad(
  around: Surroundings,
  variants: readonly Variant[],
  endpoint: Endpoint,
  { rounds, requests: itemRequests, warmUp: itemWarmUp, servers }: Options,
  say: (line: string) => void,
): Promise<EndpointResult> {
  const share = endpoint === "item" ? 1 : 1 / 3;
  const slice = Math.ceil((itemRequests * share) / SLICES);
  const warmUp = Math.ceil(itemWarmUp * share);
  const all: Measured[] = [];
  for (const variant of variants) {
    say(`${endpoint}: warming up ${variant.name}`);
    for (let copies = copiesOf(variant, servers); copies > 0; copies--) {
      const server = await startAppServer(around, variant, { busy: true });
      all.push({ server, moments: [], busyMs: 0 });
      await runLoad(around, server, endpoint, warmUp);
    }
  }
  // One more that does not count: while others warmed up the first ones rested.
  for (let round = 0; round <= rounds; round++) {
    say(`${endpoint}: ${round === 0 ? "warming up all" : `round ${round} of ${rounds}`}`);
    if (round > 0) await readAll(all);
    for (let done = 0; done < SLICES; done++) {
      for (const measured of shuffle(all)) {
        const sinceMs = performance.now();
        await runLoad(around, measured.server, endpoint, slice);
        measured.busyMs += performance.now() - sinceMs;
      }
    }
  }
  say(`${endpoint}: waiting for what is sent late`);
  await sleep(CALM_MS);
  await readAll(all);
  say(`${endpoint}: at rest`);
  await sleep(IDLE_MS);
  await readAll(all);
  const blocks: Block[] = [];
  const after: AfterLoad[] = [];
  const answered = warmUp + (rounds + 1) * SLICES * slice;
  for (const [index, { server, moments }] of all.entries()) {
    const idle = restRate(...(moments.slice(-2) as [Moment, Moment]));
    const origin = { variant: server.variant.name, server: index };
    blocks.push(...blocksBetween(moments.slice(0, -1), SLICES * slice, idle, origin));
    after.push({ ...(await lookAfterLoad(server, answered)), idleMsPerSecond: idle });
  }
  for (const { server } of all) await server.stop();
  return summarize(blocks, after, SLICES * slice);
}

async function readAll(all: readonly Measured[]): Promise<void> {
  for (const { server, moments, busyMs } of all) {
    moments.push({ ...(await server.read()), notBusyMs: performance.now() - busyMs });
  }
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
