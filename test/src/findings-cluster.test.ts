import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { fixture } from "./run-program.js";
import { freePort } from "./servers/index.js";
import { startProgram } from "./start-program.js";

interface Page {
  readonly processes: number;
  readonly silent: number;
  readonly findings: readonly { readonly kind: string; readonly count: number; readonly lostMs: number }[];
}

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

async function start(env: Record<string, string>) {
  const port = await freePort();
  const program = startProgram(fixture("findings/cluster.cjs"), {
    env: { OTEL_EXPORTER_PROMETHEUS_PORT: String(port), ...env },
  });
  undo.push(() => program.kill());
  const ports = (await program.said(/^listening (\d+) /, 3)).map(([, one]) => one);
  const read = async (): Promise<Page> => (await (await fetch(`http://127.0.0.1:${port}/findings`)).json()) as Page;
  return { ports, read };
}

test("one page has the findings of a cluster's workers and threads, added up", async () => {
  const { ports, read } = await start({});
  await expect.poll(async () => (await read()).processes, { timeout: 10_000 }).toBe(4);
  // Their first request loads what the others need.
  for (const port of ports) await (await fetch(`http://127.0.0.1:${port}/`)).text();
  await pause(50);
  for (const port of ports) await (await fetch(`http://127.0.0.1:${port}/block`)).text();
  const blocked = async () => (await read()).findings.filter(({ kind }) => kind === "event_loop_blocked");
  // The same in each of the three.
  await expect.poll(async () => (await blocked())[0]?.count, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
  const [finding, ...more] = await blocked();
  expect(more.length).toBeLessThanOrEqual(1);
  expect(finding?.lostMs).toBeGreaterThanOrEqual(3 * 110);
  expect(await read()).toMatchObject({ processes: 4, silent: 0 });
});

test("without a common endpoint a page has the findings of its process", async () => {
  const { ports, read } = await start({ TELLTALE_METRICS_MERGE: "false" });
  for (const port of ports) await (await fetch(`http://127.0.0.1:${port}/block`)).text();
  expect(await read()).toMatchObject({ processes: 1, silent: 0 });
});
