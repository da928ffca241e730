import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { freePort } from "@telltale/test/servers";
import type { Asked, Told } from "./merge/messages.js";
import { median } from "./statistics.js";
import { formatTable } from "./table.js";

// `npm run bench:merge -- [processes] [histograms]`: what one endpoint for many processes costs the one that serves, and the others.
const [processes = 16, histograms = 2000] = process.argv.slice(2).map(Number);
const SCRAPES = 9;
const CHANGES: readonly (readonly [what: string, share: number])[] = [
  ["all series changed", 1],
  ["one in ten", 0.1],
  ["none", 0],
];
const port = await freePort();
const file = fileURLToPath(new URL("merge/member-process.js", import.meta.url));
const members: ChildProcess[] = [];
// The first one gets the port.
for (let n = 0; n <= processes; n++) {
  const member = fork(file, [String(port), String(histograms)]);
  await once(member, "message");
  members.push(member);
}
const [hub, ...others] = members as [ChildProcess, ...ChildProcess[]];

async function ask(member: ChildProcess, asked: Asked): Promise<Told> {
  const told = once(member, "message");
  member.send(asked);
  return (await told)[0] as Told;
}

async function scrape(): Promise<{ ms: number; bytes: number }> {
  const beganMs = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const { byteLength } = await response.arrayBuffer();
  return { ms: performance.now() - beganMs, bytes: byteLength };
}

const rows: string[][] = [];
async function measure(what: string, record: number, scrapes: number): Promise<void> {
  const all: Record<"cpu" | "ms" | "reported" | "own" | "longest" | "page", number[]> = {
    cpu: [],
    ms: [],
    reported: [],
    own: [],
    longest: [],
    page: [],
  };
  for (let n = 0; n < scrapes; n++) {
    for (const member of members) await ask(member, { record, watch: false });
    const before = await ask(hub, { record: 0, watch: false });
    const othersBefore = await Promise.all(others.map((other) => ask(other, { record: 0, watch: false })));
    const { ms, bytes } = await scrape();
    const after = await ask(hub, { record: 0, watch: false });
    const othersAfter = await Promise.all(others.map((other) => ask(other, { record: 0, watch: false })));
    all.cpu.push(after.cpuMs - before.cpuMs);
    all.ms.push(ms);
    all.page.push(bytes / 1e6);
    // The heir does not send more than the others; it is sent.
    all.reported.push(median(othersAfter.map((told, i) => told.bytes - (othersBefore[i]?.bytes ?? 0))) / 1000);
    all.own.push(median(othersAfter.map((told, i) => told.cpuMs - (othersBefore[i]?.cpuMs ?? 0))));
    for (const member of members) await ask(member, { record, watch: false });
    await ask(hub, { record: 0, watch: true });
    await scrape();
    all.longest.push((await ask(hub, { record: 0, watch: false })).longestMs);
  }
  const of = (values: number[], digits = 1): string => median(values).toFixed(digits);
  rows.push([what, of(all.cpu), of(all.own), of(all.longest), of(all.ms, 0), of(all.reported), of(all.page)]);
}

for (let n = 0; n < 20; n++) {
  for (const member of members) await ask(member, { record: 1, watch: false });
  await scrape();
}
for (const [what, share] of CHANGES) await measure(what, share, SCRAPES);
for (const member of members) member.kill();
console.log(
  `${processes} processes and the one that serves, ${histograms} histograms each (Prometheus: ${histograms * 12} series)\n`,
);
const header = ["", "CPU, serving ms", "CPU, other ms", "longest turn ms", "scrape ms", "report kB", "page MB"];
console.log(formatTable(header, rows).join("\n"));
