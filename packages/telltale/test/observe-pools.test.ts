import { createRequire } from "node:module";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { addListener, type Finding, readPools } from "@telltale/core";
import { createInsights } from "@telltale/insights";
import { httpInstrumentation } from "@telltale/instrumentation-http";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { observePool, type PoolAsk } from "../src/observe.js";

interface Piscina {
  run(task: object): Promise<unknown>;
  destroy(): Promise<void>;
  readonly threads: readonly unknown[];
  readonly idleThreads: number;
  readonly queueSize: number;
  readonly options: { readonly maxThreads: number };
}
interface Queue {
  shift(): { readonly [key: symbol]: { readonly began?: () => void } | null } | null;
}
const { Piscina } = createRequire(new URL("../../../.orms/package.json", import.meta.url))("piscina") as {
  Piscina: (new (options: object) => Piscina) & {
    readonly FixedQueue: new () => Queue;
    readonly queueOptionsSymbol: symbol;
  };
};

const http = httpInstrumentation();
http.enable();
let collected: Collection;
const insights = createInsights();
let folder = "";
beforeAll(() => {
  collected = collect([insights]);
  folder = mkdtempSync(join(tmpdir(), "telltale-workers-"));
  writeFileSync(
    join(folder, "worker.cjs"),
    "module.exports = ({ ms }) => new Promise((done) => setTimeout(() => done(ms), ms));",
  );
});
afterAll(() => {
  insights.stop();
  collected.stop();
  http.disable();
  rmSync(folder, { recursive: true, force: true });
});

/** A piscina pool that tells when a task that was queued begins. */
class HeardQueue extends Piscina.FixedQueue {
  override shift() {
    const task = super.shift();
    task?.[Piscina.queueOptionsSymbol]?.began?.();
    return task;
  }
}

test("a worker pool: its own counts, each wait and each run, and who keeps the workers busy", async () => {
  const timings: Record<"wait" | "create" | "use", number[]> = { wait: [], create: [], use: [] };
  const stop = addListener({
    name: "test",
    poolTimed: ({ name }, what, ms) => void (name === "piscina" && timings[what].push(ms)),
  });
  const inner = new Piscina({
    filename: join(folder, "worker.cjs"),
    minThreads: 2,
    maxThreads: 2,
    taskQueue: new HeardQueue(),
  });
  const workers = observePool({
    name: "piscina",
    read: () => ({
      used: inner.threads.length - inner.idleThreads,
      idle: inner.idleThreads,
      pending: inner.queueSize,
      limit: inner.options.maxThreads,
    }),
  });
  const read = () => readPools().find(({ pool }) => pool.name === "piscina")?.reading;
  async function run(ms: number): Promise<unknown> {
    const asked = workers.asks();
    let returned: (() => void) | undefined;
    const began = (): void => void (returned = asked.got());
    const queued = inner.queueSize;
    const running = inner.run({ ms, [Piscina.queueOptionsSymbol]: { began } });
    if (inner.queueSize === queued && returned === undefined) began();
    try {
      return await running;
    } finally {
      returned?.();
    }
  }
  await waitFor(() => inner.idleThreads === 2, "the workers to start");
  expect(read()).toEqual({ used: 0, idle: 2, pending: 0, limit: 2 });

  const server = createServer(async (request, response) => {
    const isReport = request.url === "/report";
    await Promise.all(Array.from({ length: isReport ? 2 : 1 }, () => run(isReport ? 250 : 10)));
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const report = fetch(`${url}/report`);
  await waitFor(() => read()?.used === 2, "the report to run");
  const thumbnails = [1, 2, 3].map(() => fetch(`${url}/thumbnail`));
  await waitFor(() => read()?.pending === 3, "others to wait");
  expect(read()).toEqual({ used: 2, idle: 0, pending: 3, limit: 2 });
  await Promise.all([report, ...thumbnails]);
  await waitFor(() => read()?.idle === 2, "the workers to be free");

  expect([timings.wait.length, timings.use.length, timings.create.length]).toEqual([5, 5, 0]);
  const waits = timings.wait.toSorted((a, b) => a - b);
  // Timers may fire early by a millisecond; how late, nobody knows.
  expect(waits.slice(2).every((ms) => ms > 150)).toBe(true);
  expect(timings.use.filter((ms) => ms > 248)).toHaveLength(2);
  const starved = collected.findings.filter(({ kind }: Finding) => kind === "pool_starved");
  expect(starved).toHaveLength(1);
  expect(starved[0]?.title).toContain("piscina");

  workers.close();
  expect(read()).toBeUndefined();
  stop();
  server.close();
  server.closeAllConnections();
  await inner.destroy();
});

test("an app's own pool: what is told first counts, nothing is told twice", async () => {
  const heard: string[] = [];
  const stop = addListener({
    name: "test",
    poolTimed: (_, what) => void heard.push(what),
    poolTimedOut: (_, waiter) => void heard.push(waiter === undefined ? "timed out" : "timed out waiting"),
    poolWaited: () => void heard.push("waited"),
  });
  const reading = { used: 1, idle: 0, pending: 0, limit: 2 };
  const mine = observePool({ name: "mine", read: () => reading });
  const pool = readPools().find(({ pool: { name } }) => name === "mine")?.pool;
  const ask = (used: number): PoolAsk => {
    reading.used = used;
    return mine.asks();
  };
  const returned = ask(1).got();
  expect(pool?.loans.first).toMatchObject({ isUnseen: true });
  const late = ask(2);
  expect(pool?.waiters.first).toBeDefined();
  late.timedOut();
  late.got()();
  late.timedOut();
  const gone = ask(2);
  gone.gaveUp();
  gone.timedOut();
  const served = ask(2);
  returned();
  returned();
  await pause(1);
  served.got()();
  ask(1).timedOut();
  expect(heard).toEqual(["wait", "timed out waiting", "use", "waited", "wait", "use", "timed out"]);
  expect([pool?.loans.first, pool?.waiters.first]).toEqual([undefined, undefined]);
  mine.close();

  const broken = observePool({
    name: "broken",
    read() {
      throw new Error("not there");
    },
  });
  broken.asks().got()();
  broken.close();
  stop();
});
