import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createMetrics, type Metrics } from "../src/index.js";
import { delayOf } from "../src/loop-delay.js";
import { values } from "./operations.js";

let metrics: Metrics;
beforeAll(() => {
  metrics = createMetrics();
});
afterAll(() => metrics.stop());

async function one(name: string): Promise<number> {
  const points = await values(metrics, name);
  expect(points, name).toHaveLength(1);
  return points[0]?.[1] as number;
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("a blocked event loop shows as delay, and only until the next collection", async () => {
  await sleep(50);
  block(300);
  await sleep(50);
  // What was left of a period when the block began is no delay: up to 10 ms less.
  const max = await one("nodejs.eventloop.delay.max");
  expect(max).toBeGreaterThan(0.28);
  expect(max).toBeLessThan(0.6);
  await sleep(200);
  expect(await one("nodejs.eventloop.delay.min")).toBeLessThan(0.01);
  await sleep(200);
  expect(await one("nodejs.eventloop.delay.max")).toBeLessThan(0.2);
});

test("a block is seen whole by a loop that rested, and the rest counts for the time that it took", async () => {
  await sleep(500);
  await one("nodejs.eventloop.delay.max");
  block(300);
  await sleep(400);
  // Not less by what was left of a period.
  const max = await one("nodejs.eventloop.delay.max");
  expect(max).toBeGreaterThan(0.29);
  expect(max).toBeLessThan(0.6);
  await sleep(1_000);
  expect(await one("nodejs.eventloop.delay.p50")).toBeLessThan(0.001);
});

test.each<
  [string, sinceMs: number, lateMs: number, activeMs: number, pieceMs: number, delayMs: number, onTime: number]
>([
  ["on time", 11.2, 0.2, 0.1, 0.1, 0.2, 0],
  ["on time, after work", 11.2, 0.2, 9, 9, 0.2, 0],
  ["kept by work", 60, 49, 55, 55, 55, 0],
  ["kept by another process", 60, 49, 1, 1, 49, 4],
  ["after a rest", 47.1, 0.1, 0.1, 0.1, 0.1, 3],
  ["after a long rest", 199.1, 0.1, 0.1, 0.1, 0.1, 17],
  ["after a rest in which a block began and ended", 199.1, 0.1, 80, 80, 80, 10],
  ["a year later", 3e10, 3e10, 1, 1, 3e10, 19],
])("what a look says of delays: %s", (_, sinceMs, lateMs, activeMs, pieceMs, delayMs, onTime) => {
  const look = { nowMs: 0, isDue: true, turns: 1, idleMs: 0, sinceMs, lateMs, activeMs, pieceMs };
  expect(delayOf(look)).toEqual({ delayMs, onTime });
});

test("delays do not vanish for a reader who comes right after another", async () => {
  await sleep(50);
  const max = () => one("nodejs.eventloop.delay.max");
  // On a busy machine the loop may be looked at between the two.
  await expect.poll(async () => (await max()) === (await max()), { interval: 50, timeout: 2_000 }).toBe(true);
});

test("event loop utilization is that since the last collection", async () => {
  await one("nodejs.eventloop.utilization");
  block(200);
  await sleep(200);
  const half = await one("nodejs.eventloop.utilization");
  expect(half).toBeGreaterThan(0.3);
  expect(half).toBeLessThan(0.8);
});

test("event loop and CPU time grow by what was spent", async () => {
  const spent = async (name: string) => (await values(metrics, name)).map(([, value]) => value as number);
  const [active = 0, idle = 0] = await spent("nodejs.eventloop.time");
  const cpu = (await spent("process.cpu.time")).reduce((a, b) => a + b);
  block(200);
  await sleep(200);
  const [active2 = 0, idle2 = 0] = await spent("nodejs.eventloop.time");
  expect(active2 - active).toBeGreaterThan(0.18);
  expect(idle2 - idle).toBeGreaterThan(0.1);
  // Another program may have had the CPU for a part of the time.
  expect((await spent("process.cpu.time")).reduce((a, b) => a + b) - cpu).toBeGreaterThan(0.05);
  expect(await values(metrics, "process.cpu.time")).toEqual([
    [{ "cpu.mode": "user" }, expect.any(Number)],
    [{ "cpu.mode": "system" }, expect.any(Number)],
  ]);
});

test("CPU utilization is never more than all, and the same for a reader who comes right after another", async () => {
  const shares = async () => (await values(metrics, "process.cpu.utilization")).map(([, share]) => share as number);
  await sleep(150);
  await shares();
  await sleep(150);
  const { user, system } = process.cpuUsage();
  // As a kernel does that counts in ticks: more than the time that has passed.
  const counted = vi.spyOn(process, "cpuUsage").mockReturnValue({ user: user + 6e7, system: system + 2e7 });
  try {
    const [ofUser, ofSystem] = await shares();
    expect(ofUser).toBeCloseTo(0.75, 1);
    expect((ofUser ?? 0) + (ofSystem ?? 0)).toBeCloseTo(1, 10);
    expect(await shares()).toEqual([ofUser, ofSystem]);
  } finally {
    counted.mockRestore();
  }
});

test("heap, memory and uptime are those of the process", async () => {
  const used = (await values(metrics, "v8js.memory.heap.used")).reduce((sum, [, value]) => sum + (value as number), 0);
  const { heapUsed, rss } = process.memoryUsage();
  expect(used).toBeGreaterThan(heapUsed * 0.5);
  expect(used).toBeLessThan(heapUsed * 1.5);
  expect((await one("process.memory.usage")) / rss).toBeCloseTo(1, 0);
  expect(Math.abs((await one("process.uptime")) - process.uptime())).toBeLessThan(1);
  const spaces = (await values(metrics, "v8js.memory.heap.space.size")).map(([attributes]) => attributes);
  expect(spaces).toContainEqual({ "v8js.heap.space.name": "old_space" });
});

test("garbage collections, CPU share and active resources; nothing keeps the process alive", async () => {
  const program = `
    import { createMetrics } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
    const metrics = createMetrics();
    globalThis.gc();
    setTimeout(async () => {
      const { resourceMetrics } = await metrics.producer.collect();
      const points = Object.fromEntries(
        resourceMetrics.scopeMetrics[0].metrics.map((m) => [m.descriptor.name, m.dataPoints]),
      );
      console.log(JSON.stringify({
        gc: points["v8js.gc.duration"].filter((p) => p.attributes["v8js.gc.type"] === "major").map((p) => p.value.count),
        timers: points["v8js.resource.active"].filter((p) => p.attributes["v8js.resource.type"] === "Timeout").map((p) => p.value),
        cpu: points["process.cpu.utilization"].map((p) => p.value >= 0 && p.value <= 1),
      }));
    }, 50);
    setTimeout(() => {}, 100);
  `;
  const began = performance.now();
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", "--input-type=module", "--eval", program],
    { cwd: fileURLToPath(new URL("..", import.meta.url)), timeout: 20_000 },
  );
  const result = JSON.parse(stdout) as { gc: number[]; timers: number[]; cpu: boolean[] };
  expect(result.gc[0]).toBeGreaterThanOrEqual(1);
  // The timer that runs and the one to come; none of ours.
  expect(result.timers).toEqual([2]);
  expect(result.cpu).toEqual([true, true]);
  expect(performance.now() - began).toBeLessThan(15_000);
});
