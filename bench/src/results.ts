import type { Endpoint } from "./options.js";
import { mean, median, type Spread, spread } from "./statistics.js";
import { BARE } from "./variants.js";

/** One block of requests to one server; all figures are per request. */
export interface Block {
  readonly round: number;
  readonly variant: string;
  /** Tells servers of one variant apart. */
  readonly server: number;
  readonly cpuUs: number;
  readonly allocatedBytes: number;
  readonly gcUs: number;
}

/** What one server had to show after its load. */
export interface AfterLoad {
  readonly variant: string;
  /** CPU time per second while nothing is asked of it. */
  readonly idleMsPerSecond: number;
  readonly spansPerRequest: number;
  readonly rssMb: number;
  readonly heapAfterGcMb: number;
}

/** One variant under load; ratios are to the bare app. */
export interface LoadResult {
  readonly cpuUs: Spread;
  /** Of its servers: each one's median of its blocks, each of these to the mean of the bare app's blocks of its round. */
  readonly cpuRatio: Spread;
  readonly allocatedBytes: Spread;
  readonly allocatedRatio: Spread;
  /** Part of the CPU time that went into garbage collection. */
  readonly gcShare: number;
  /** CPU time in ms per second while nothing is asked of it; `cpuUs` has no part of it in it. */
  readonly idleMsPerSecond: number;
  readonly spansPerRequest: number;
  readonly rssMb: number;
  readonly heapAfterGcMb: number;
}

export interface EndpointResult {
  readonly rounds: number;
  readonly requestsPerBlock: number;
  readonly variants: Readonly<Record<string, LoadResult>>;
}

export interface StartupResult {
  /** Process start to listening. */
  readonly ms: Spread;
  readonly addedMs: number;
  /** CPU time until then: hardly changes when the machine is busy with other things. */
  readonly cpuMs: number;
  readonly addedCpuMs: number;
  /** A second after listening. */
  readonly rssMb: number;
  readonly addedRssMb: number;
  /** Files loaded, of Node's own none. */
  readonly modules: number;
}

/** What became of a server's memory after the warm-up. */
export interface SoakGrowth {
  /** Least-squares slope. */
  readonly mbPer500k: number;
  /** After full collections. */
  readonly rssMb: Spread;
  readonly heapAfterGcMb: { readonly warm: number; readonly end: number };
}

export interface SoakResult extends SoakGrowth {
  readonly variant: string;
  /** To each of the two. */
  readonly requests: number;
  /** How much more than the bare app it grows. */
  readonly mbPer500k: number;
  readonly bare: SoakGrowth;
}

export interface ScrapeResult {
  readonly series: number;
  readonly ms: Spread;
  /** The longest time that the event loop was held up. */
  readonly stretchMs: Spread;
}

/** How the figures are measured: raise it when those of before cannot be compared any more. */
export const METHOD = 4;

export interface Results {
  readonly method: number;
  readonly when: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly pinned: boolean;
  readonly load?: Partial<Record<Endpoint, EndpointResult>>;
  readonly startup?: Readonly<Record<string, StartupResult>>;
  readonly soak?: SoakResult;
  readonly scrape?: ScrapeResult;
}

/** Medians of blocks, and of the servers' ratios to the bare app's blocks of the same round. */
export function summarize(
  blocks: readonly Block[],
  afterLoad: readonly AfterLoad[],
  requestsPerBlock: number,
): EndpointResult {
  const bare = blocks.filter(({ variant }) => variant === BARE);
  const variants: Record<string, LoadResult> = {};
  for (const [variant, own] of Map.groupBy(blocks, ({ variant }) => variant)) {
    const after = afterLoad.filter((server) => server.variant === variant);
    const mid = (figure: (server: AfterLoad) => number): number => median(after.map(figure));
    variants[variant] = {
      cpuUs: spread(own.map(cpu)),
      cpuRatio: ratio(own, bare, cpu),
      allocatedBytes: spread(own.map(allocated)),
      allocatedRatio: ratio(own, bare, allocated),
      gcShare: median(own.map(({ gcUs, cpuUs }) => gcUs / cpuUs)),
      idleMsPerSecond: mid((server) => server.idleMsPerSecond),
      spansPerRequest: mid((server) => server.spansPerRequest),
      rssMb: mid((server) => server.rssMb),
      heapAfterGcMb: mid((server) => server.heapAfterGcMb),
    };
  }
  const rounds = new Set(blocks.map(({ round }) => round)).size;
  return { rounds, requestsPerBlock, variants };
}

const cpu = ({ cpuUs }: Block): number => cpuUs;
const allocated = ({ allocatedBytes }: Block): number => allocatedBytes;

function ratio(own: readonly Block[], bare: readonly Block[], figure: (block: Block) => number): Spread {
  const bareOf = Map.groupBy(bare, ({ round }) => round);
  const toBare = (block: Block): number => figure(block) / mean((bareOf.get(block.round) ?? []).map(figure));
  const servers = [...Map.groupBy(own, ({ server }) => server).values()];
  return spread(servers.map((blocks) => median(blocks.map(toBare))));
}
