import { AsyncLocalStorage } from "node:async_hooks";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { collectGarbage } from "@telltale/test/memory";
import { waitFor } from "@telltale/testkit";
import { afterEach, expect, test, vi } from "vitest";
import { type LoopLook, setSay, watchEventLoop } from "../src/index.js";
import { hearOperation } from "../src/event-loop.js";

let stops: (() => void)[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  setSay(() => {});
  for (const stop of stops) stop();
  stops = [];
});

function watch(looked: (look: LoopLook) => void = () => {}): LoopLook[] {
  const looks: LoopLook[] = [];
  const stop = watchEventLoop("test", (look) => {
    looks.push(look);
    looked(look);
  });
  stops.push(stop);
  return looks;
}

function busyWork(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const isLong = ({ periodMs }: LoopLook): boolean => periodMs === 199;

/** Two long periods, one after the other. */
async function untilItRests(looks: readonly LoopLook[]): Promise<void> {
  await waitFor(() => looks.length > 1 && looks.slice(-2).every(isLong), "a rest");
}

test("a loop that rests is seldom looked at, and at once when an operation is heard", async () => {
  const looks = watch();
  await untilItRests(looks);
  expect(looks.filter(isLong).every(({ sinceMs }) => sinceMs >= 198)).toBe(true);
  const before = looks.length;
  hearOperation();
  // What there was of the rest until now.
  expect(looks.slice(before).map(({ periodMs, sinceMs }) => [periodMs, sinceMs < 199])).toEqual([[199, true]]);
  hearOperation();
  hearOperation();
  expect(looks).toHaveLength(before + 1);
  await waitFor(() => looks.length > before + 2, "looks");
  // One for the operation, one that hears no more.
  expect(looks.slice(before + 1, before + 3).map(({ periodMs }) => periodMs)).toEqual([11, 11]);
});

test("work ends a rest, and looks stay frequent while it goes on", async () => {
  const looks = watch();
  await untilItRests(looks);
  const before = looks.length;
  for (const end = performance.now() + 600; performance.now() < end; await sleep(1)) busyWork(2);
  const during = looks.slice(before + 1);
  expect(during.length).toBeGreaterThan(10);
  expect(during.filter(({ periodMs }) => periodMs > 11).length).toBeLessThan(during.length / 4);
  expect(Math.max(...during.map(({ activeMs, sinceMs }) => activeMs / sinceMs))).toBeGreaterThan(0.5);
});

test("all who watch are told of the same look; one who fails thrice hears no more", async () => {
  const said: string[] = [];
  setSay((_, line) => void said.push(line));
  const failing = watch(() => {
    throw new Error("no");
  });
  const looks = watch();
  await waitFor(() => looks.length >= 5, "looks");
  expect(failing).toEqual(looks.slice(0, 3));
  expect(said.join("\n")).toMatch(/test failed and skipped one call[^]*test failed 3 times and is now off/);
});

test("whatever ends a rest is not kept by it", async () => {
  const looks = watch();
  await untilItRests(looks);
  const endRest = (): WeakRef<object> => {
    const store = {};
    new AsyncLocalStorage<object>().run(store, hearOperation);
    return new WeakRef(store);
  };
  const store = endRest();
  expect(looks.at(-1)?.sinceMs).toBeLessThan(199);
  await new Promise(setImmediate);
  collectGarbage();
  expect(store.deref()).toBeUndefined();
});

test("where the app has put something else in place of Node's clock, looks end and the app goes on", async () => {
  vi.resetModules();
  const core = await import("../src/index.js");
  const said: string[] = [];
  core.setSay((_, line) => void said.push(line));
  const broken = vi.spyOn(performance, "eventLoopUtilization").mockImplementation(() => undefined as never);
  const looks: LoopLook[] = [];
  stops.push(core.watchEventLoop("test", (look) => void looks.push(look)));
  await waitFor(() => said.length === 2, "the end");
  await sleep(50);
  expect(broken).toHaveBeenCalledTimes(3);
  expect(looks).toEqual([]);
  expect(said[1]).toMatch(/event loop failed 3 times and is now off/);
});
