import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { askChild, hearChild, type Machine } from "../processes.js";
import type { ScrapeResult } from "../results.js";
import { spread } from "../statistics.js";

const SERIES = 10_000;
const WARM_UP = 20;
const SCRAPES = 30;

/** Reads a large page of metrics again and again, each time after every series has changed. */
export async function measureScrape(machine: Machine, say: (line: string) => void): Promise<ScrapeResult> {
  const program = fileURLToPath(new URL("scrape-process.js", import.meta.url));
  const child = machine.start("server", "the metrics page", [program, String(SERIES)]);
  const { port } = await hearChild<{ port: number }>(child, "listening");
  const ms: number[] = [];
  const stretches: number[] = [];
  let series = 0;
  for (let scrape = -WARM_UP; scrape < SCRAPES; scrape++) {
    if (scrape % 10 === 0) say(`scrape: ${scrape + WARM_UP} of ${WARM_UP + SCRAPES}`);
    await askChild(child, { ask: "begin" });
    await sleep(20);
    const began = performance.now();
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const took = performance.now() - began;
    const longest = await askChild<{ ms: number }>(child, { ask: "longest" });
    if (scrape < 0) continue;
    series = page.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
    ms.push(took);
    stretches.push(longest.ms);
  }
  await machine.end(child);
  return { series, ms: spread(ms), stretchMs: spread(stretches) };
}
