import { createRequire } from "node:module";
import { keyvInstrumentation } from "@telltale/instrumentation-caches";
import { redisInstrumentation } from "@telltale/instrumentation-redis";
import { collect, drawTrace, type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { scrape, sumOf } from "./scrape.js";
import { type MemcachedServer, startMemcached, startRedis } from "./servers/index.js";
import { serviceWays, startService } from "./watched-service.js";

const ways = await serviceWays();
const REQUESTS = 10;

describeWith(["memcached"], "a service with caches", () => {
  let memcached: MemcachedServer;
  let receiver: OtlpReceiver;
  beforeAll(async () => {
    [memcached, receiver] = await Promise.all([startMemcached(), startOtlpReceiver()]);
  });
  afterAll(async () => {
    await Promise.all([receiver?.close(), memcached?.stop()]);
  });

  test.each(ways)("$program on Node $version: each cache by its name, and as the server counts", async (way) => {
    receiver.reset();
    const before = await memcached.stats();
    const service = await startService(`caches/${way.program}`, way.binary, receiver, { MEMCACHED: memcached.address });
    for (let n = 0; n < REQUESTS; n++) expect((await fetch(service.url)).status).toBe(200);
    const page = await scrape(service.metricsUrl);
    const count = (...labels: string[]) => sumOf(page, "telltale_cache_lookups_total", ...labels);
    const ratio = (cache: string) =>
      ["hit", "miss"].map((result) => count(`telltale_cache_name="${cache}"`, `telltale_cache_result="${result}"`));

    const after = await memcached.stats();
    const system = 'db_system_name="memcached"';
    expect([count(system, 'result="hit"'), count(system, 'result="miss"')]).toEqual(
      ["get_hits", "get_misses"].map((name) => (after[name] ?? 0) - (before[name] ?? 0)),
    );
    expect([ratio("item"), ratio("page")]).toEqual([
      [REQUESTS, REQUESTS],
      [0, REQUESTS],
    ]);
    expect([ratio("users"), ratio("settings"), ratio("menu")]).toEqual(
      Array.from({ length: 3 }, () => [REQUESTS - 1, 1]),
    );
    expect(ratio("tokens")).toEqual([0, REQUESTS]);
    expect(sumOf(page, "db_client_operation_duration_seconds_count", system)).toBe(2 * REQUESTS + 1);

    await receiver.waitForSpans((received) => received.length >= 3 * REQUESTS + 1);
    const request = receiver.spans.find(({ kind }) => kind === "server");
    const trace = receiver.spans.filter(({ traceId }) => traceId === request?.traceId);
    expect(drawTrace(trace, ({ name }) => name)).toBe("GET\n  GET\n  GET");
    const texts = trace.map(({ attributes }) => attributes["db.query.text"]);
    expect(texts).toEqual(expect.arrayContaining(["GET item:?", "GET page:?"]));
    const told = JSON.stringify([[...page], receiver.spans], (_, value: unknown) =>
      typeof value === "bigint" ? `${value}` : value,
    );
    expect(told).not.toContain("s3cret");
    await service.stop();
  });
});

describeWith(["redis-server"], "Keyv over Redis", () => {
  test("is counted once, as Redis counts, and what is in memory before it by itself", async () => {
    const instrumentations = [keyvInstrumentation(), redisInstrumentation()];
    for (const instrumentation of instrumentations) instrumentation.enable();
    const require = createRequire(import.meta.url);
    const { Keyv } = require("keyv") as typeof import("keyv");
    const { createCache } = require("cache-manager") as typeof import("cache-manager");
    const { Redis } = require("ioredis") as typeof import("ioredis");
    const server = await startRedis({ own: true });
    const redis = new Redis(server.url);
    const store = {
      get: (key: string) => redis.get(key),
      getMany: (keys: string[]) => redis.mget(keys),
      set: (key: string, value: string) => redis.set(key, value),
      delete: (key: string) => redis.del(key).then((count) => count > 0),
      clear: () => redis.flushall(),
    };
    const cache = createCache({ stores: [new Keyv(), new Keyv({ store, namespace: "users" })] });
    const collected = collect();
    await cache.wrap("1", async () => "made");
    await cache.get("1");
    await cache.mget(["1", "2"]);
    const info = await redis.info("stats");
    const said = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1]);
    const count = (wanted: string, system: string | undefined) =>
      collected.lookups.filter((lookup) => lookup.result === wanted && lookup.system === system).length;
    expect([count("hit", "redis"), count("miss", "redis")]).toEqual([said("keyspace_hits"), said("keyspace_misses")]);
    expect(said("keyspace_misses")).toBe(2);
    // The key that was made was there from then on.
    expect([count("hit", undefined), count("miss", undefined)]).toEqual([2, 2]);
    collected.stop();
    redis.disconnect();
    for (const instrumentation of instrumentations) instrumentation.disable();
    await server.stop();
  });
});
