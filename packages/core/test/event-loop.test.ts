import { AsyncLocalStorage } from "node:async_hooks";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { collectGarbage } from "@telltale/test/memory";
import { template } from "@telltale/test/template";
import { waitFor } from "@telltale/testkit";
import { afterEach, expect, test, vi } from "vitest";
import { endOperation, type LoopLook, setSay, startDatabaseOperation, watchEventLoop } from "../src/index.js";
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

/** The one after it is long, too, as the loop hardly worked. */
const isLong = ({ sinceMs, activeMs }: LoopLook): boolean => sinceMs >= 198 && activeMs < 0.04 * sinceMs;

/** Two long periods, one after the other. */
async function untilItSleeps(looks: readonly LoopLook[]): Promise<void> {
  await waitFor(() => looks.length > 1 && looks.slice(-2).every(isLong), "a rest");
}

test("a loop that rests is looked at less often, after a second seldom, and at once when an operation is heard", async () => {
  const looks = watch();
  await untilItSleeps(looks);
  const resting = looks.filter(({ sinceMs }) => sinceMs >= 46 && sinceMs < 198);
  expect(resting.length).toBeGreaterThan(5);
  expect(looks.length).toBeLessThan(50);
  const before = looks.length;
  hearOperation();
  // What there was of the rest until now.
  expect(looks).toHaveLength(before + 1);
  expect(looks.at(-1)).toMatchObject({ isDue: false });
  expect(looks.at(-1)?.lateMs).toBeLessThan(0);
  hearOperation();
  hearOperation();
  expect(looks).toHaveLength(before + 1);
  await waitFor(() => looks.length > before + 1, "a look");
  expect(looks.at(-1)).toMatchObject({ isDue: true });
  expect(looks.at(-1)?.sinceMs).toBeLessThan(46);
});

test("while operations are heard there is no rest, however little they do", async () => {
  const looks = watch();
  await untilItSleeps(looks);
  const before = looks.length + 1;
  for (let n = 0; n < 60; n++) {
    hearOperation();
    await sleep(7);
  }
  const during = looks.slice(before);
  expect(during.length).toBeGreaterThan(15);
  expect(during.filter(({ sinceMs, lateMs }) => sinceMs - lateMs > 12).length).toBeLessThan(during.length / 4);
});

test("the beginning and the end of a call are heard", async () => {
  const looks = watch();
  await untilItSleeps(looks);
  const before = looks.length;
  const operation = startDatabaseOperation(template(), undefined, undefined);
  expect(looks).toHaveLength(before + 1);
  await untilItSleeps(looks);
  const beforeEnd = looks.length;
  endOperation(operation);
  expect(looks).toHaveLength(beforeEnd + 1);
  expect(looks.at(-1)).toMatchObject({ isDue: false });
});

test("work ends a rest, and looks stay frequent while it goes on", async () => {
  const looks = watch();
  await untilItSleeps(looks);
  const before = looks.length;
  for (const end = performance.now() + 600; performance.now() < end; await sleep(1)) busyWork(2);
  const during = looks.slice(before + 1);
  expect(during.length).toBeGreaterThan(10);
  expect(during.filter(({ sinceMs, lateMs }) => sinceMs - lateMs > 12).length).toBeLessThan(during.length / 4);
  expect(Math.max(...during.map(({ activeMs, sinceMs }) => activeMs / sinceMs))).toBeGreaterThan(0.5);
});

test("a piece of work is known wherever it falls in a rest, and several are not added up", async () => {
  const looks = watch();
  for (const restMs of [100, 115, 130, 145, 160]) {
    const before = looks.length;
    hearOperation();
    await sleep(restMs);
    busyWork(70);
    await sleep(60);
    const whole = Math.max(...looks.slice(before).map(({ pieceMs }) => pieceMs));
    expect(whole).toBeGreaterThan(68);
    expect(whole).toBeLessThan(100);
  }
  await untilItSleeps(looks);
  const before = looks.length;
  for (let n = 0; n < 6; n++, await sleep(10)) busyWork(20);
  await sleep(200);
  expect(Math.max(...looks.slice(before).map(({ pieceMs }) => pieceMs))).toBeLessThan(49);
});

test("whoever is told of a look may do what is an operation", async () => {
  let depth = 0;
  let deepest = 0;
  const looks = watch(() => {
    deepest = Math.max(deepest, ++depth);
    hearOperation();
    depth--;
  });
  await untilItSleeps(looks);
  hearOperation();
  expect(deepest).toBe(1);
});

test("work that goes on after the call that ended a rest is one piece, in one look", async () => {
  const looks = watch();
  await untilItSleeps(looks);
  const before = looks.length;
  hearOperation();
  busyWork(40);
  void Promise.resolve().then(() => busyWork(40));
  await waitFor(() => looks.length > before + 1, "a look");
  expect(looks[before]).toMatchObject({ isDue: false });
  expect(looks[before + 1]).toMatchObject({ isDue: true });
  expect(looks[before + 1]?.pieceMs).toBeGreaterThan(78);
});

test("who watches later is not told of what was before", async () => {
  watch();
  await sleep(20);
  busyWork(60);
  const looks = watch();
  await waitFor(() => looks.length > 0, "a look");
  expect(looks[0]?.pieceMs).toBeLessThan(50);
});

test("all who watch are told of the same look; one who fails thrice hears no more", async () => {
  const said: string[] = [];
  setSay((_, line) => void said.push(line));
  const failing = watch(() => {
    throw new Error("no");
  });
  const looks = watch();
  await waitFor(() => looks.length >= 5, "looks");
  // The first was told before the other one watched.
  expect(failing.slice(1)).toEqual(looks.slice(0, 2));
  expect(said.join("\n")).toMatch(/test failed and skipped one call[^]*test failed 3 times and is now off/);
});

test("whatever ends a rest is not kept by it", async () => {
  const looks = watch();
  await untilItSleeps(looks);
  const endRest = (): WeakRef<object> => {
    const store = {};
    new AsyncLocalStorage<object>().run(store, hearOperation);
    return new WeakRef(store);
  };
  const store = endRest();
  expect(looks.at(-1)?.isDue).toBe(false);
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
  // What is asked for now would begin at the last look, and so last for ever.
  vi.restoreAllMocks();
  expect(core.peekAtEventLoop()).toBeUndefined();
  expect(said[1]).toMatch(/looks at the event loop failed 3 times and is now off/);
});
