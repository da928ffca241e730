import { addListener, announceModule, type CacheLookup, nameCaches } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type MemcachedServer, startMemcached } from "@telltale/test/servers";
import { collect, type Collection } from "@telltale/testkit";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { observeCache } from "../src/index.js";
import { instrumentations, releasesOf } from "./libraries.js";

type KeyvClass = typeof import("keyv").Keyv;
/** Of cache-manager 5. */
interface OldCache {
  get(key: string): Promise<unknown>;
  wrap(key: string, run: () => Promise<unknown>): Promise<unknown>;
}
type NodeCacheClass = typeof import("node-cache");
const require = createRequire(import.meta.url);

let collected: Collection;
let keysUsed: unknown[] = [];
let stopKeys = (): void => {};
beforeAll(() => {
  collected = collect();
  stopKeys = addListener({ name: "keys", keyUsed: (cache, key, use) => void keysUsed.push([cache, key, use]) });
});
afterEach(() => {
  collected.reset();
  keysUsed = [];
});
afterAll(() => {
  stopKeys();
  collected.stop();
});
const lookups = () => collected.lookups.map(({ cache, result, keys }: CacheLookup) => [cache, result, keys]);
const count = (wanted: string) => collected.lookups.filter(({ result }) => result === wanted).length;

describe.each(releasesOf<NodeCacheClass>("node-cache"))("node-cache, $release", ({ library: NodeCache }) => {
  test("counts what the cache itself counts, by the name in the key", async () => {
    const cache = new NodeCache({ checkperiod: 0 });
    cache.set("user:1", { name: "a" });
    cache.set("user:none", null);
    cache.set("user:brief", 1, 0.001);
    cache.set(7, "seven");
    expect(cache.get("user:1")).toEqual({ name: "a" });
    expect(cache.get("user:none")).toBeNull();
    expect(cache.get(7)).toBe("seven");
    await sleep(5);
    expect(cache.get("user:brief")).toBeUndefined();
    expect(cache.mget(["user:1", "user:2", "order:1"])).toEqual({ "user:1": { name: "a" } });
    if (typeof cache.take === "function") expect(cache.take(7)).toBe("seven");
    expect(() => cache.get({} as never)).toThrow("Found: `object`");
    const { hits, misses } = cache.getStats();
    expect([count("hit"), count("miss")]).toEqual([hits, misses]);
    expect(misses).toBe(3);
    expect(lookups().slice(0, 4)).toEqual([
      ["user", "hit", 1],
      ["user", "hit", 1],
      ["node-cache", "hit", 1],
      ["user", "miss", 1],
    ]);
    expect(lookups()).toContainEqual(["order", "miss", 1]);
    expect(keysUsed.slice(0, 4)).toEqual([
      ["user", "user:1", "write"],
      ["user", "user:none", "write"],
      ["user", "user:brief", "write"],
      ["node-cache", "7", "write"],
    ]);
    expect([collected.operations, collected.spans]).toEqual([[], []]);
  });

  test("what it gives out after its time is stale", async () => {
    const cache = new NodeCache({ checkperiod: 0, deleteOnExpire: false });
    cache.mset([
      { key: "a", val: 1, ttl: 0.001 },
      { key: "b", val: 2 },
    ]);
    await sleep(5);
    expect(cache.mget(["a", "b"])).toEqual({ a: 1, b: 2 });
    expect(lookups()).toEqual([
      ["node-cache", "stale", 1],
      ["node-cache", "hit", 1],
    ]);
  });

  test("has the name that the app gives it, and is counted once", () => {
    const cache = new NodeCache({ checkperiod: 0 });
    const undo = observeCache("profiles", cache);
    cache.get("user:1");
    undo();
    cache.get("user:1");
    expect(lookups()).toEqual([
      ["profiles", "miss", 1],
      ["user", "miss", 1],
    ]);
  });
});

const keyvs = [...releasesOf<KeyvClass | { Keyv: KeyvClass }>("keyv", ["keyv-newest"])].map(({ release, library }) => ({
  release,
  Keyv: "Keyv" in library ? library.Keyv : library,
}));

describe.each(keyvs)("keyv, $release", ({ Keyv }) => {
  test("counts what it finds, key by key, and makes no span", async () => {
    const cache = new Keyv();
    const promise = cache.set("user:1", "s3cret");
    expect(promise).toBeInstanceOf(Promise);
    await promise;
    await cache.set("user:brief", 1, 1);
    await cache.set("user:null", null);
    await sleep(5);
    expect(await cache.get("user:1")).toBe("s3cret");
    expect(await cache.get("user:2")).toBeUndefined();
    expect(await cache.get("user:brief")).toBeUndefined();
    expect(await cache.get("user:null")).toBeNull();
    expect(await cache.get(["user:1", "user:2", "order:1"])).toEqual(["s3cret", undefined, undefined]);
    expect(lookups()).toEqual([
      ["user", "hit", 1],
      ["user", "miss", 1],
      ["user", "miss", 1],
      ["user", "hit", 1],
      ["user", "hit", 1],
      ["user", "miss", 1],
      ["order", "miss", 1],
    ]);
    expect(keysUsed[0]).toEqual(["user", "user:1", "write"]);
    expect(collected.spans).toEqual([]);
  });

  test("is named by its namespace, by the app's patterns, by the app", async () => {
    const cache = new Keyv({ namespace: "sessions" });
    await cache.get("1");
    nameCaches({ "sessions:vip-*": "important" });
    await cache.get("vip-1");
    nameCaches({});
    const undo = observeCache("mine", cache);
    await cache.get("1");
    undo();
    expect(lookups().map(([name]) => name)).toEqual(["sessions", "important", "mine"]);
  });

  test("a store that counts for itself is counted once", async () => {
    const inner = new Map<string, unknown>();
    const store = {
      get: (key: string) => inner.get(key),
      set: (key: string, value: unknown) => void inner.set(key, value),
      has: (key: string) => inner.has(key),
      delete: (key: string) => inner.delete(key),
      clear: () => inner.clear(),
    };
    const cache = new Keyv({ store: store as never });
    await cache.get("a");
    expect(lookups()).toEqual([["keyv", "miss", 1]]);
    collected.reset();
    observeCache("store", store);
    await cache.get("a");
    await cache.set("a", 1);
    await cache.get("a");
    expect(lookups()).toEqual([
      ["store", "miss", 1],
      ["store", "hit", 1],
    ]);
  });

  test("a Map that is observed is counted once", async () => {
    const map = new Map<string, unknown>();
    observeCache("map", map);
    const cache = new Keyv({ store: map as never });
    await cache.set("a", 1);
    await cache.get("a");
    expect(lookups()).toEqual([["map", "hit", 1]]);
    expect(keysUsed.map((used) => (used as string[])[2])).toEqual(["write", "hit"]);
  });

  test("nothing is left of it after disable", async () => {
    const patched = Keyv.prototype.get;
    instrumentations.keyv.disable();
    expect(Keyv.prototype.get).not.toBe(patched);
    expect([Keyv.prototype.get.name, Keyv.prototype.get.length]).toEqual([patched.name, patched.length]);
    await new Keyv().get("a");
    expect(lookups()).toEqual([]);
    instrumentations.keyv.enable();
  });
});

test.each(keyvs.slice(0, 1))(
  "keyv, $release: many of a store that answers with nothing are misses",
  async ({ Keyv }) => {
    const cache = new Keyv({ store: { getMany: async () => null } as never });
    expect(await cache.get(["a", "b"])).toBeUndefined();
    expect(lookups()).toEqual([
      ["keyv", "miss", 1],
      ["keyv", "miss", 1],
    ]);
  },
);

test("the ES builds of keyv are other classes, and heard as well", async () => {
  for (const name of ["keyv", "keyv-newest"]) {
    const exports = (await import(name)) as typeof import("keyv");
    const { version } = JSON.parse(
      readFileSync(new URL(`../../../node_modules/${name}/package.json`, import.meta.url), "utf8"),
    ) as { version: string };
    announceModule({ name: "keyv", version, exports, file: fileURLToPath(import.meta.resolve(name)) });
    expect(exports.Keyv).not.toBe((require(name) as typeof import("keyv")).Keyv);
    await new exports.Keyv().get("user:1");
  }
  expect(lookups()).toEqual([
    ["user", "miss", 1],
    ["user", "miss", 1],
  ]);
});

// Major 4 has neither.
test.each(keyvs.slice(1))("keyv, $release, counts raw and many, and each write once", async ({ Keyv }) => {
  const cache = new Keyv();
  await cache.setMany([
    { key: "a", value: 1 },
    { key: "b", value: 2 },
  ]);
  await cache.getMany(["a", "b", "c"]);
  await cache.getRaw("a");
  await cache.getManyRaw(["a", "z"]);
  expect(lookups().map(([name, result]) => `${name} ${result}`)).toEqual(
    ["hit", "hit", "miss", "hit", "hit", "miss"].map((result) => `keyv ${result}`),
  );
  expect(keysUsed.filter((used) => (used as string[])[2] === "write")).toEqual([
    ["keyv", "a", "write"],
    ["keyv", "b", "write"],
  ]);
});

// Major 6 tells its listeners of errors, and finds nothing.
test.each(keyvs.slice(0, 2))(
  "keyv, $release: a rejection that nobody handles is unhandled, one that is handled is not, and both are errors",
  async ({ Keyv }) => {
    const error = new Error("not JSON");
    const cache = new Keyv({
      store: new Map([["keyv:a", "{"]]) as never,
      deserialize: () => Promise.reject(error),
    } as never);
    const unhandled: unknown[] = [];
    const listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (reason) => unhandled.push(reason));
    await expect(cache.get("a")).rejects.toBe(error);
    void cache.get("a");
    await sleep(5);
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) process.on("unhandledRejection", listener);
    expect(unhandled).toEqual([error]);
    expect(lookups()).toEqual([
      ["keyv", "error", 1],
      ["keyv", "error", 1],
    ]);
  },
);

describe("cache-manager", () => {
  test("7: each tier is a Keyv, and is counted where it is asked", async () => {
    const { createCache } = require("cache-manager") as typeof import("cache-manager");
    const { Keyv } = require("keyv") as typeof import("keyv");
    const [first, second] = [new Keyv(), new Keyv()];
    const cache = createCache({ stores: [first, second] as never });
    observeCache("users", cache);
    await second.set("1", "a");
    expect(await cache.get("1")).toBe("a");
    expect(await cache.wrap("1", async () => "b")).toBe("a");
    expect(await cache.get("1")).toBe("a");
    expect(await cache.wrap("2", async () => "c")).toBe("c");
    expect(await cache.mget(["1", "3"])).toEqual(["a", undefined]);
    expect(lookups()).toEqual([
      ["users", "miss", 1],
      ["users#2", "hit", 1],
      ["users", "miss", 1],
      ["users#2", "hit", 1],
      ["users", "hit", 1],
      ["users", "miss", 1],
      ["users#2", "miss", 1],
      ["users", "hit", 1],
      ["users", "miss", 1],
      ["users#2", "miss", 1],
    ]);
  });

  test("5: its store is observed", async () => {
    const [old] = releasesOf<{ caching(store: string): Promise<OldCache> }>("cache-manager");
    if (old === undefined) throw new Error("not installed");
    const cache = await old.library.caching("memory");
    observeCache("users", cache);
    expect(await cache.wrap("1", async () => "a")).toBe("a");
    expect(await cache.wrap("1", async () => "b")).toBe("a");
    expect(await cache.get("1")).toBe("a");
    expect(lookups().map(([name, result]) => `${name} ${result}`)).toEqual(["users miss", "users hit", "users hit"]);
  });
});

describeWith(["memcached"], "keyv over Memcached", () => {
  let memcached: MemcachedServer;
  beforeAll(async () => {
    memcached = await startMemcached();
  });
  afterAll(() => memcached.stop());

  test("is counted once, as Memcached's", async () => {
    const { Keyv } = require("keyv") as typeof import("keyv");
    const { KeyvMemcache } = require("@keyv/memcache") as typeof import("@keyv/memcache");
    const store = new KeyvMemcache(memcached.address, { logger: { log() {} } });
    const cache = new Keyv({ store: store as never });
    await cache.set("user:1", "a", 60_000);
    expect(await cache.get("user:1")).toBe("a");
    expect(await cache.get("user:2")).toBeUndefined();
    await cache.getMany(["user:1", "user:2", "user:3"]);
    const { get_hits: hits, get_misses: misses } = await memcached.stats();
    expect([count("hit"), count("miss")]).toEqual([hits, misses]);
    expect([hits, misses]).toEqual([2, 3]);
    expect(new Set(collected.lookups.map(({ system }) => system))).toEqual(new Set(["memcached"]));
    (store as unknown as { client: { close(): void } }).client.close();
  });
});
