import { addListener, type CacheLookup, setSay } from "@telltale/core";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { observeCache } from "../src/index.js";
import { releasesOf } from "./libraries.js";

type LruClass = typeof import("lru-cache").LRUCache;

let lookups: string[] = [];
let used: unknown[] = [];
let stop = (): void => {};
beforeEach(() => {
  lookups = [];
  used = [];
  stop = addListener({
    name: "test",
    cacheLooked: ({ cache, result, keys }: CacheLookup) => void lookups.push(`${cache} ${result} ${keys}`),
    keyUsed: (cache, key, use) => void used.push([cache, key, use]),
  });
});
afterEach(() => stop());

const lrus = releasesOf<LruClass | { LRUCache: LruClass }>("lru-cache").map(({ release, library }) => ({
  release,
  Lru: "LRUCache" in library ? library.LRUCache : library,
}));

describe.each(lrus)("lru-cache, $release", ({ Lru }) => {
  test("only the cache that has a name is counted", () => {
    const [named, another] = [new Lru<string, object>({ max: 2 }), new Lru<string, object>({ max: 2 })];
    const undo = observeCache("users", named);
    const pending = Promise.reject(new Error("is a value"));
    pending.catch(() => {});
    expect(named.set("a", {})).toBe(named);
    named.set("b", null as never).set("promise", pending);
    expect(named.get("a")).toBeUndefined(); // evicted
    expect(named.get("b")).toBeNull();
    expect(named.get("promise")).toBe(pending);
    expect(named.peek("b")).toBeNull();
    another.get("a");
    expect(lookups).toEqual(["users miss 1", "users hit 1", "users hit 1"]);
    expect(used).toEqual([
      ["users", "a", "write"],
      ["users", "b", "write"],
      ["users", "promise", "write"],
      ["users", "a", "miss"],
      ["users", "b", "hit"],
      ["users", "promise", "hit"],
    ]);
    undo();
    named.get("b");
    expect(lookups).toHaveLength(3);
    expect(["get", "set", "fetch", "memo"].filter((name) => Object.hasOwn(named, name))).toEqual([]);
  });

  test("what is given out after its time is stale, by itself and by a call that asks for it", async () => {
    const cache = new Lru<string, number>({ max: 9, ttl: 1, ttlResolution: 0, noDeleteOnStaleGet: true });
    observeCache("users", cache);
    cache.set("a", 1);
    cache.set("kept", 2, { ttl: 60_000 });
    await sleep(5);
    const status: { returnedStale?: true } = {};
    expect(cache.get("a", Object.freeze({ allowStale: true, status }))).toBe(1);
    expect(status.returnedStale).toBe(true);
    expect(cache.get("a")).toBeUndefined();
    expect(cache.get("kept", { allowStale: true })).toBe(2);
    expect(cache.get("none", { allowStale: true })).toBeUndefined();
    expect(lookups).toEqual(["users stale 1", "users miss 1", "users hit 1", "users miss 1"]);
  });

  test("options are taken as the cache takes them: inherited, and with the error that null is", async () => {
    const make = () =>
      new Lru<string, number>({ max: 9, ttl: 1, ttlResolution: 0, noDeleteOnStaleGet: true, fetchMethod: () => 2 });
    const answers = [make(), make()].map(async (cache, n) => {
      if (n === 1) observeCache("users", cache);
      cache.set("a", 1);
      await sleep(5);
      const options = Object.create({ allowStale: true, context: "inherited" }) as { status?: object };
      const calls = [
        () => cache.get("a", options),
        () => cache.get("a", null as never),
        () => cache.fetch("a", null as never),
      ];
      return Promise.all(calls.map(async (call) => call()).map((answer) => answer.catch(String)));
    });
    const [alone, observed] = await Promise.all(answers);
    expect(observed).toEqual(alone);
    expect(alone).toEqual([1, expect.stringContaining("TypeError"), expect.stringContaining("TypeError")]);
    expect(lookups).toEqual(["users stale 1"]);
  });

  test("fetch is one lookup, counted as it begins, whatever comes of it", async () => {
    const failure = new Error("no database");
    let loads = 0;
    const cache = new Lru<string, number>({
      max: 9,
      fetchMethod: async (key) => {
        loads++;
        if (key === "bad") throw failure;
        return loads;
      },
    });
    observeCache("users", cache);
    const [first, second] = [cache.fetch("a"), cache.fetch("a")];
    expect(lookups).toEqual(["users miss 1", "users miss 1"]);
    expect([await first, await second]).toEqual([1, 1]);
    expect(await cache.fetch("a")).toBe(1);
    expect(await cache.fetch("a", { forceRefresh: true })).toBe(2);
    await expect(cache.fetch("bad")).rejects.toBe(failure);
    expect(lookups.slice(2)).toEqual(["users hit 1", "users miss 1", "users miss 1"]);
    lookups = [];
    const plain = new Lru<string, number>({ max: 9 });
    observeCache("plain", plain);
    plain.set("a", 1);
    expect([await plain.fetch("a"), await plain.fetch("b")]).toEqual([1, undefined]);
    expect(lookups).toEqual(["plain hit 1", "plain miss 1"]);
  });
});

test("lru-cache, the newest release: memo and forceFetch", async () => {
  const { Lru } = lrus[1] ?? { Lru: undefined };
  if (Lru === undefined) throw new Error("not installed");
  const cache = new Lru<string, string>({
    max: 9,
    memoMethod: (key) => `memo ${key}`,
    fetchMethod: async (key) => `fetched ${key}`,
  });
  observeCache("users", cache);
  expect([cache.memo("a"), cache.memo("a"), await cache.forceFetch("b")]).toEqual(["memo a", "memo a", "fetched b"]);
  expect(lookups).toEqual(["users miss 1", "users hit 1", "users miss 1"]);
});

test("a Map: null and promises are values; it can be taken back", async () => {
  const failed = Promise.reject(new Error("kept as it is"));
  const cache = new Map<unknown, unknown>([
    ["a", 1],
    ["nothing", null],
    ["failed", failed],
  ]);
  const undo = observeCache("map", cache);
  expect([cache.get.name, cache.get.length]).toEqual(["get", 1]);
  expect(cache.get("a")).toBe(1);
  expect(cache.get("nothing")).toBeNull();
  expect(cache.get("failed")).toBe(failed);
  await expect(cache.get("failed")).rejects.toThrow("kept as it is");
  expect(cache.get({})).toBeUndefined();
  expect(cache.set("b", 2)).toBe(cache);
  undo();
  cache.get("a");
  expect([Object.hasOwn(cache, "get"), Object.hasOwn(cache, "set")]).toEqual([false, false]);
  expect(lookups).toEqual(["map hit 1", "map hit 1", "map hit 1", "map hit 1", "map miss 1"]);
  expect(used.slice(-2)).toEqual([
    ["map", undefined, "miss"],
    ["map", "b", "write"],
  ]);
});

test("a client of the app's own: promises are followed; an error is an error, not a miss, and stays the app's", async () => {
  const error = new Error("down");
  const cache = {
    get: async (key: string) => (key === "bad" ? Promise.reject(error) : key === "a" ? "" : null),
  };
  observeCache("remote", cache);
  await expect(cache.get("a")).resolves.toBe("");
  await expect(cache.get("b")).resolves.toBeNull();
  await expect(cache.get("bad")).rejects.toBe(error);
  const sync = {
    get(): never {
      throw error;
    },
  };
  observeCache("broken", sync);
  expect(() => sync.get()).toThrow(error);
  expect(lookups).toEqual(["remote hit 1", "remote miss 1", "remote error 1", "broken error 1"]);
});

test("a promise that is in a cache of the app's own: as many unhandled rejections as without us", async () => {
  const unhandled: unknown[] = [];
  const hear = (reason: unknown) => unhandled.push(reason);
  const others = process.rawListeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", hear);
  const held = new Map<string, unknown>();
  const cache = {
    get: (key: string) => held.get(key),
    set: (key: string, value: unknown) => void held.set(key, value),
  };
  observeCache("own", cache);
  const stored = Promise.reject(new Error("handled by who has put it there"));
  stored.catch(() => {});
  cache.set("stored", stored);
  held.set("shared", Promise.reject(new Error("handled by one of two")));
  held.set("dropped", Promise.reject(new Error("handled by nobody")));
  expect(cache.get("stored")).toBe(stored);
  (cache.get("shared") as Promise<unknown>).catch(() => {});
  expect(cache.get("shared")).toBe(cache.get("shared"));
  cache.get("dropped");
  await sleep(5);
  process.removeAllListeners("unhandledRejection");
  for (const other of others) process.on("unhandledRejection", other as NodeJS.UnhandledRejectionListener);
  expect(unhandled).toEqual([new Error("handled by nobody")]);
  expect(lookups.sort()).toEqual(["own error 1", "own error 1", "own error 1", "own error 1", "own hit 1"]);
});

test("a cache has one name, the newest, and is counted under no other", () => {
  const cache = new Map([["a", 1]]);
  const [stopOld, stopNew] = [observeCache("old", cache), observeCache("new", cache)];
  cache.get("a");
  stopOld();
  cache.get("a");
  stopNew();
  cache.get("a");
  expect(lookups).toEqual(["new hit 1", "new hit 1"]);
  expect(Reflect.ownKeys(cache)).toEqual([]);
});

test.each<[what: string, cache: { get(key: string): unknown }]>([
  ["frozen", Object.freeze({ get: (key: string) => key, set: (key: string) => key })],
  ["with a fixed set", Object.defineProperty({ get: (key: string) => key }, "set", { value: (key: string) => key })],
  ["a proxy that takes nothing", new Proxy({ get: (key: string) => key }, { defineProperty: () => false })],
])("one whose methods cannot be replaced is left alone: %s", (_, cache) => {
  const lines: string[] = [];
  setSay((__, line) => lines.push(line));
  const { get } = cache;
  observeCache("fixed", cache)();
  setSay(() => {});
  expect(cache.get).toBe(get);
  expect(lines).toEqual([expect.stringMatching(/^the cache fixed is not observed, .*TypeError/)]);
});

test("whoever has wrapped it since goes on, and is no longer counted; it says what it needs", () => {
  const cache = { get: (key: string) => key };
  const undo = observeCache("wrapped", cache);
  const ours = cache.get;
  const theirs = (key: string) => ours(key);
  cache.get = theirs;
  undo();
  expect(cache.get).toBe(theirs);
  expect([cache.get("a"), lookups]).toEqual(["a", []]);
  for (const args of [["nothing", {}], ["", new Map()], [new Map(), "swapped"], ["none"]]) {
    expect(() => Reflect.apply(observeCache, undefined, args)).toThrow("observeCache needs a name and an object");
  }
});
