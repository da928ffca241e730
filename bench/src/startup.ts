import { setTimeout as sleep } from "node:timers/promises";
import { type Ready, startAppServer, type Surroundings } from "./app-server.js";
import type { StartupResult } from "./results.js";
import { median, shuffle, spread } from "./statistics.js";
import { BARE, type Variant } from "./variants.js";

const MB = 1024 * 1024;

/** One start; `settledRss` is what it has become a second later. */
interface Start extends Ready {
  readonly settledRss: number;
}

/** Starts every variant several times, in turn; the first round only warms the disk's caches, and a preload's own. */
export async function measureStartup(
  around: Surroundings,
  variants: readonly Variant[],
  rounds: number,
  say: (line: string) => void,
): Promise<Record<string, StartupResult>> {
  const starts = new Map<string, Start[]>(variants.map(({ name }) => [name, []]));
  const modules = new Map<string, number>();
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? "start-up: counting modules" : `start-up: round ${round} of ${rounds}`);
    for (const variant of shuffle(variants)) {
      const server = await startAppServer(around, variant, { countModules: round === 0 });
      if (round === 0) modules.set(variant.name, server.ready.modules ?? Number.NaN);
      else {
        await sleep(1_000);
        starts.get(variant.name)?.push({ ...server.ready, settledRss: await server.rss() });
      }
      await server.stop();
    }
  }
  const mid = (name: string, figure: (start: Start) => number): number => median((starts.get(name) ?? []).map(figure));
  const results: Record<string, StartupResult> = {};
  for (const [name, own] of starts) {
    results[name] = {
      ms: spread(own.map(({ ms }) => ms)),
      addedMs: mid(name, ({ ms }) => ms) - mid(BARE, ({ ms }) => ms),
      cpuMs: mid(name, ({ cpuMs }) => cpuMs),
      addedCpuMs: mid(name, ({ cpuMs }) => cpuMs) - mid(BARE, ({ cpuMs }) => cpuMs),
      rssMb: mid(name, ({ settledRss }) => settledRss) / MB,
      addedRssMb: (mid(name, ({ settledRss }) => settledRss) - mid(BARE, ({ settledRss }) => settledRss)) / MB,
      modules: modules.get(name) ?? Number.NaN,
    };
  }
  return results;
}
