import { setTimeout as sleep } from "node:timers/promises";
import { addListener, endOperation, type Finding } from "@telltale/core";
import { collectGarbage } from "@telltale/test/memory";
import { beginRequest } from "@telltale/test/requests";
import { waitFor } from "@telltale/testkit";
import { afterEach, expect, test } from "vitest";
import { createInsights, type InsightsOptions } from "../src/index.js";
import { type Block, watchLoop } from "../src/event-loop/loop-watch.js";

const findings: Finding[] = [];
let stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops) stop();
  stops = [];
  findings.length = 0;
});

function listen(options: InsightsOptions): void {
  const insights = createInsights(options);
  const stop = addListener({ name: "test", findingMade: (finding) => void findings.push(finding) });
  stops.push(insights.stop, addListener(insights), stop);
}

function busyWork(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** A request whose handler does something at once. */
function serve(route: string, act: () => void): void {
  const operation = beginRequest(route);
  act();
  endOperation(operation);
}

const routes = () => findings.map(({ route }) => route);

test("a block is a finding with its route, its length and what it is against", async () => {
  listen({});
  await sleep(30);
  serve("/report", () => busyWork(90));
  await waitFor(() => findings.length > 0, "a finding");
  expect(findings[0]).toMatchObject({
    kind: "event_loop_blocked",
    route: "/report",
    endpoint: "GET /report",
    againstMs: 50,
    title: expect.stringMatching(/^GET \/report blocked the event loop for \d+(\.\d)? ms$/),
    callSite: undefined,
  });
  expect(findings[0]?.durationMs).toBeGreaterThanOrEqual(89);
});

test.each<[string, InsightsOptions, number]>([
  ["below the threshold", { eventLoop: { blockMs: 1_000 } }, 90],
  ["turned off", { eventLoop: { blockMs: 0 } }, 90],
])("none: %s", async (_, options, ms) => {
  listen(options);
  await sleep(30);
  serve("/report", () => busyWork(ms));
  await sleep(50);
  expect(findings).toEqual([]);
});

test("a request that comes after a long rest is seen as well", async () => {
  listen({});
  await sleep(1_300);
  serve("/rare", () => busyWork(70));
  await waitFor(() => findings.length > 0, "a finding");
  expect(routes()).toEqual(["/rare"]);
});

/** The blocks that are over, in ms, of requests or not. */
function watchBlocks(): number[] {
  const lengths: number[] = [];
  const over = ({ fromMs, toMs }: Block): void => void lengths.push(toMs - fromMs);
  const loop = watchLoop({ seen() {}, over, lastHeardMs: () => performance.now(), quiet() {} });
  stops.push(loop.stop);
  return lengths;
}

test("work in a request that has waited for what is not heard is a block", async () => {
  const blocks = watchBlocks();
  for (const waitMs of [60, 100, 150, 220, 290]) {
    const operation = beginRequest("/late");
    await sleep(waitMs);
    blocks.length = 0;
    busyWork(70);
    endOperation(operation);
    await waitFor(() => blocks.length > 0, `a block after ${waitMs} ms`);
    expect(blocks[0]).toBeGreaterThan(66);
    expect(blocks[0]).toBeLessThan(100);
  }
});

test("a block in which an operation begins is one block", async () => {
  const blocks = watchBlocks();
  await sleep(1_300);
  busyWork(80);
  const operation = beginRequest("/within");
  busyWork(60);
  await sleep(20);
  endOperation(operation);
  await sleep(50);
  expect(blocks.filter((ms) => ms > 30)).toHaveLength(1);
  expect(Math.max(...blocks)).toBeGreaterThan(135);
});

test.each<[string, () => Promise<unknown>]>([
  ["setImmediate", () => new Promise(setImmediate)],
  ["a rest", () => sleep(10)],
])("pieces of work with %s between them are not one block", async (_, pause) => {
  const blocks = watchBlocks();
  await sleep(1_300);
  for (let n = 0; n < 12; n++, await pause()) busyWork(20);
  await sleep(250);
  expect(blocks.length).toBeGreaterThan(2);
  expect(Math.max(...blocks)).toBeLessThan(49);
});

test("a request that was served long ago is not held", async () => {
  listen({});
  const serveOne = (): WeakRef<object> => {
    const served = beginRequest("/once");
    endOperation(served);
    return new WeakRef(served);
  };
  const served = serveOne();
  await sleep(1_400);
  collectGarbage();
  expect(served.deref()).toBeUndefined();
});

test("what runs while the app starts, outside of requests, is none", async () => {
  listen({});
  await sleep(30);
  busyWork(90);
  await sleep(50);
  expect(findings).toEqual([]);
});

test("a request that was over, or only waited, is not blamed", async () => {
  listen({});
  serve("/before", () => {});
  await sleep(40);
  busyWork(90);
  await sleep(50);
  expect(routes()).not.toContain("/before");
});

test("with a profile, the second block says which function it was", async () => {
  listen({ eventLoop: { profile: true } });
  await sleep(30);
  for (const route of ["/first", "/second"]) {
    serve(route, () => busyWork(120));
    await waitFor(() => routes().includes(route), route);
    await sleep(20);
  }
  const [first, second] = ["/first", "/second"].map((route) => findings.find((finding) => finding.route === route));
  expect(first).toMatchObject({ callSite: undefined, evidence: undefined });
  expect(second?.callSite).toMatchObject({ file: import.meta.filename, function: "busyWork" });
  expect(second?.evidence?.["stack"]).toMatch(/busyWork \(.*event-loop\.test\.ts:\d+\)/);
});

test("a delay is that of the block in which something became known", async () => {
  const loop = watchLoop({ seen() {}, over() {}, lastHeardMs: () => performance.now(), quiet() {} });
  stops.push(loop.stop);
  await sleep(30);
  const sentMs = performance.now();
  busyWork(100);
  const blockedMs = performance.now() - sentMs;
  // While it lasts, and nobody has looked yet.
  expect(Math.abs(loop.delayBefore(performance.now(), sentMs) - blockedMs)).toBeLessThan(20);
  const overMs = performance.now();
  await sleep(60);
  expect(Math.abs(loop.delayBefore(overMs, sentMs) - blockedMs)).toBeLessThan(20);
  // Asked for long before: half of it, as it may have been over at any time within.
  expect(loop.delayBefore(overMs, sentMs - 5_000)).toBeGreaterThan(blockedMs * 0.45);
  expect(loop.delayBefore(overMs, sentMs - 5_000)).toBeLessThan(blockedMs * 0.75);
  // What the machine does meanwhile may block it, too, but not for so long.
  expect(loop.delayBefore(sentMs - 20, sentMs - 30)).toBeLessThan(11);
  expect(loop.delayBefore(overMs + 40, sentMs)).toBeLessThan(blockedMs / 2);
});

test("turned off, it keeps no request", async () => {
  listen({ eventLoop: { blockMs: 0 } });
  const serveOne = (): WeakRef<object> => {
    const served = beginRequest("/report");
    endOperation(served);
    return new WeakRef(served);
  };
  const served = serveOne();
  await new Promise(setImmediate);
  collectGarbage();
  expect(served.deref()).toBeUndefined();
});
