import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import { context } from "@opentelemetry/api";
import { contextOf, endOperation, type Finding, startDatabaseOperation } from "@telltale/core";
import { createInsights, type Insights } from "@telltale/insights";
import {
  keyvInstrumentation,
  memcachedInstrumentation,
  memjsInstrumentation,
  nodeCacheInstrumentation,
  observeCache,
} from "@telltale/instrumentation-caches";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { serve } from "../requests.js";
import { type MemcachedServer, startMemcached } from "../servers/index.js";
import { template } from "../template.js";

const instrumentations = [
  keyvInstrumentation(),
  memcachedInstrumentation(),
  memjsInstrumentation(),
  nodeCacheInstrumentation(),
];
for (const instrumentation of instrumentations) instrumentation.enable();
const require = createRequire(import.meta.url);

/** What all of them come to. */
interface Cache {
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
}

const WINDOW_MS = 150;

describeWith(["memcached"], "findings about caches of all kinds", () => {
  let server: MemcachedServer;
  let insights: Insights;
  let collected: Collection;
  let caches: Record<string, Cache>;
  const closing: (() => void)[] = [];
  beforeAll(async () => {
    server = await startMemcached();
    insights = createInsights({
      cacheFindings: { windowMs: WINDOW_MS, minLookups: 20, minWrites: 20, neverReadMs: 400 },
    });
    collected = collect([insights]);
    caches = openCaches();
  });
  afterAll(async () => {
    for (const close of closing) close();
    insights.stop();
    collected.stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
    await server.stop();
  });

  function openCaches(): typeof caches {
    const memcached = new (require("memcached"))(server.address);
    const memjs = require("memjs").Client.create(server.address);
    const keyv = new (require("keyv").Keyv)({ namespace: "keyv-users" });
    const nodeCache = new (require("node-cache"))({ checkperiod: 0 });
    const lru = new (require("lru-cache").LRUCache)({ max: 10_000 });
    observeCache("lru", lru);
    closing.push(
      () => memcached.end(),
      () => memjs.close(),
    );
    const asked = (run: (done: (error: unknown, value: unknown) => void) => void): Promise<unknown> =>
      new Promise((resolve, reject) =>
        run((error, value) => (error ? reject(error as Error) : resolve(value ?? undefined))),
      );
    return {
      memcached: {
        get: (key) => asked((done) => memcached.get(`memcached:${key}`, done)),
        set: (key, value) => asked((done) => memcached.set(`memcached:${key}`, value, 60, done)),
      },
      memjs: {
        get: async (key) => ((await memjs.get(`memjs:${key}`)) as { value: unknown }).value ?? undefined,
        set: (key, value) => memjs.set(`memjs:${key}`, value, {}),
      },
      "keyv-users": keyv as Cache,
      sessions: {
        get: async (key) => nodeCache.get(`sessions:${key}`) as unknown,
        set: async (key, value) => nodeCache.set(`sessions:${key}`, value) as unknown,
      },
      lru: { get: async (key) => lru.get(key) as unknown, set: async (key, value) => lru.set(key, value) as unknown },
    };
  }

  /** Names of caches with such a finding, however often it is told. */
  const cachesWith = (kind: Finding["kind"]): string[] => {
    const findings = collected.findings.filter((finding) => finding.kind === kind);
    return [...new Set(findings.map(({ evidence }) => String(evidence?.["cache"])))].toSorted();
  };

  test("each kind of finding is made of each kind of cache", { timeout: 20_000 }, async () => {
    const names = Object.keys(caches).toSorted();
    // Keys of a cache that the app has named are of one kind, and some of them are read.
    const unread = names.filter((name) => name !== "lru");
    let serial = 0;
    const found = new AbortController();
    const busy = Object.values(caches).map(async (cache) => {
      while (!found.signal.aborted) {
        await serve("/low", async () => {
          const key = `${serial++}:low`;
          if ((await cache.get(key)) === undefined) await cache.set(key, "value");
          await cache.set(`${serial++}:audit`, "entry");
        });
        await pause(1);
      }
    });
    const query = template({ fingerprint: "a query for what was missed" });
    await Promise.all(
      Object.entries(caches).flatMap(([name, cache]) =>
        Array.from({ length: 6 }, () =>
          serve("/crowd", async () => {
            if ((await cache.get("menu")) !== undefined) return;
            const operation = startDatabaseOperation(query, undefined, [name]);
            await context.with(contextOf(operation), () => pause(30));
            endOperation(operation);
            await cache.set("menu", "value");
          }),
        ),
      ),
    );
    await waitFor(
      () =>
        cachesWith("cache_low_hit_ratio").length === names.length &&
        cachesWith("cache_never_read").length === unread.length,
      () => JSON.stringify(collected.findings.map(({ title }) => title)),
      10_000,
    ).finally(() => found.abort());
    await Promise.all(busy);
    await waitFor(() => cachesWith("cache_stampede").length === names.length, "the stampedes", 5_000);
    expect(cachesWith("cache_low_hit_ratio")).toEqual(names);
    expect(cachesWith("cache_never_read")).toEqual(unread);
    expect(cachesWith("cache_stampede")).toEqual(names);
  });
});
