import { get } from "node:http";
import { fileURLToPath } from "node:url";
import { freePort } from "@telltale/test/servers";
import { makeCertificate } from "./certificate.js";
import { type Databases, startDatabases } from "./databases.js";
import { type Load, startLoad } from "./load/load.js";
import type { Endpoint } from "./options.js";
import { onceASecond } from "./once-a-second.js";
import { installPeer, peerFolder } from "./peers.js";
import { askChild, type Child, hearChild, type Machine } from "./processes.js";
import { type Certificate, type Counted, type Sink, startSink } from "./sink/sink.js";
import { VARIANTS, type Variant } from "./variants.js";

/** What all servers under test share. */
export interface Surroundings {
  readonly machine: Machine;
  readonly databases: Databases;
  readonly load: Load;
  readonly sink: Sink;
  readonly certificate: Certificate | undefined;
}

/** When a server was ready: since its process began, in ms and bytes. */
export interface Ready {
  readonly port: number;
  readonly ms: number;
  readonly cpuMs: number;
  readonly rss: number;
  /** Files loaded, where they were counted. */
  readonly modules?: number;
}

/** Since the process began. */
export interface Reading {
  readonly cpuUs: number;
  readonly allocated: number;
  readonly gcUs: number;
}

export interface Memory {
  readonly rss: number;
  readonly rssAfterGc: number;
  readonly heapAfterGc: number;
}

/** The app under one variant. */
export interface AppServer {
  readonly variant: Variant;
  readonly ready: Ready;
  read(): Promise<Reading>;
  memory(): Promise<Memory>;
  rss(): Promise<number>;
  /** Does some work while its metrics page, if it has one, is read every second. */
  scrapedDuring(work: () => Promise<void>): Promise<void>;
  /** What its collector has got. */
  collected(): Promise<Counted>;
  /** Asks it to end, or, where that takes too long, ends it. */
  stop(): Promise<void>;
}

const app = fileURLToPath(new URL("../app/server.cjs", import.meta.url));
const counter = fileURLToPath(new URL("../agents/count-modules.cjs", import.meta.url));
const STOP_MS = 3_000;
/**
 * A busy service does not rest, but servers that are asked in turn do, and then V8 does two things, in each process at a time of its own:
 * - it makes the young generation smaller, and larger again as more survives: from 8 to 64 MB were seen side by side, and with 2 MB any
 *   server spends a third of its time on collections;
 * - it collects the whole heap while no request is under way, and throws away the code that was made for objects which nobody has just
 *   then (`--log-deopt` tells of it), to be compiled again in the next round.
 */
const BUSY = ["--min-semi-space-size=16", "--max-semi-space-size=16", "--no-memory-reducer"];

/** Everything around the servers; `servers` of them may run at once. */
export async function prepareSurroundings(
  machine: Machine,
  servers: number,
  needsTls: boolean,
  ending: AsyncDisposableStack,
): Promise<Surroundings> {
  const certificate = needsTls ? await makeCertificate(ending) : undefined;
  const databases = await startDatabases(servers, ending);
  return { machine, databases, load: startLoad(machine), sink: startSink(machine), certificate };
}

/** The variants of these names that can run here, their peers installed; says which cannot, and why. */
export async function prepareVariants(
  names: readonly string[],
  hasTls: boolean,
  say: (line: string) => void,
  ending: AsyncDisposableStack,
): Promise<Variant[]> {
  const ready: Variant[] = [];
  for (const variant of VARIANTS) {
    if (!names.includes(variant.name)) continue;
    if (variant.needsTls === true && !hasTls) {
      say(`${variant.name} is left out: it sends over TLS only, and openssl is needed to make a certificate`);
      continue;
    }
    if (variant.peer !== undefined) await installPeer(variant.peer, say, ending);
    ready.push(variant);
  }
  return ready;
}

export async function startAppServer(
  { machine, databases, sink, certificate }: Surroundings,
  variant: Variant,
  { countModules = false, busy = false } = {},
): Promise<AppServer> {
  const collector = await sink.open(variant.needsTls === true ? certificate : undefined);
  const metrics = await freePort();
  const around = { collector, metrics, peer: peerFolder(variant.peer ?? ""), certificate };
  const first = [...(busy ? BUSY : []), ...(countModules ? ["--require", counter] : [])];
  const args = [...first, ...(variant.preload?.(around) ?? []), app];
  const env = { NODE_ENV: "production", ...databases.env, ...variant.env?.(around) };
  const child = machine.start("server", variant.name, args, env);
  const ready = await hearChild<Ready>(child, "listening");
  return {
    variant,
    ready,
    read: () => askChild(child, { ask: "read" }),
    memory: () => askChild(child, { ask: "memory" }),
    rss: async () => (await askChild<{ rss: number }>(child, { ask: "rss" })).rss,
    scrapedDuring: variant.isScraped === true ? onceASecond(() => readPage(metrics)) : (work) => work(),
    collected: () => sink.count(collector),
    stop: () => stop(machine, child),
  };
}

async function stop(machine: Machine, child: Child): Promise<void> {
  child.process.send({ ask: "exit" }, () => {});
  const timer = setTimeout(() => void machine.end(child), STOP_MS);
  await child.gone;
  clearTimeout(timer);
}

function readPage(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: "/metrics" }, (response) => {
      response.resume().once("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`the metrics page answered ${response.statusCode}`));
      });
    }).once("error", reject);
  });
}

/** Load, with a scrape for every second of it; while other servers have their turn nobody scrapes. */
export async function runLoad(
  { load }: Surroundings,
  server: AppServer,
  endpoint: Endpoint,
  requests: number,
): Promise<void> {
  await server.scrapedDuring(() => load.run(server.ready.port, endpoint, requests));
}
