import { addListener, type CacheLookup, type FindingRecord, findingTold, readPools, setSay } from "@telltale/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheLookup, observeCache, observePool } from "../src/observe.js";
import { onFinding } from "../src/on-finding.js";

let lookups: [string, string, number][] = [];
let timed: [string, string, number][] = [];
let stop = (): void => {};
beforeEach(() => {
  lookups = [];
  timed = [];
  stop = addListener({
    name: "test",
    cacheLooked: ({ cache, result, keys }: CacheLookup) => void lookups.push([cache, result, keys]),
    poolTimed: (pool, what, ms) => void timed.push([pool.name, what, ms]),
    poolTimedOut: (pool) => void timed.push([pool.name, "timeout", 0]),
  });
});
afterEach(() => stop());

test("cacheLookup counts keys", () => {
  cacheLookup("sessions", "hit");
  cacheLookup("sessions", "stale", 3);
  for (const keys of [Infinity, -1, "3"]) cacheLookup("sessions", "hit", keys as number);
  expect(lookups).toEqual([
    ["sessions", "hit", 1],
    ["sessions", "stale", 3],
  ]);
});

test("observeCache counts what a Map finds, and can be taken back", () => {
  const cache = new Map([["a", 1]]);
  const undo = observeCache("map", cache);
  expect(cache.get("a")).toBe(1);
  expect(cache.get("b")).toBeUndefined();
  undo();
  cache.get("a");
  expect(Object.hasOwn(cache, "get")).toBe(false);
  expect(lookups).toEqual([
    ["map", "hit", 1],
    ["map", "miss", 1],
  ]);
});

test("a callback that fails is said once, and hears the next finding", () => {
  const lines: string[] = [];
  setSay((_, line) => void lines.push(line));
  let calls = 0;
  const stop = onFinding(() => {
    calls++;
    throw new Error("full");
  });
  for (let n = 0; n < 3; n++) findingTold({} as FindingRecord);
  stop();
  findingTold({} as FindingRecord);
  setSay(() => {});
  expect(calls).toBe(3);
  expect(lines).toEqual(["onFinding callback failed: full"]);
});

test("observePool puts a pool on the gauges until it closes; a taken name gets a number", () => {
  const first = observePool({ name: "workers", read: () => ({ used: 1, idle: 2, pending: 3, limit: 4 }) });
  const second = observePool({ name: "workers", read: () => ({ used: 0, idle: 0, pending: 0 }) });
  first.waited(5);
  second.timedOut();
  expect(readPools().map(({ pool, reading }) => [pool.name, reading.used])).toEqual([
    ["workers", 1],
    ["workers#2", 0],
  ]);
  expect(timed).toEqual([
    ["workers", "wait", 5],
    ["workers#2", "timeout", 0],
  ]);
  first.close();
  second.close();
  expect(readPools()).toEqual([]);
  expect(() => observePool({ name: "" } as never)).toThrow("observePool needs");
});
