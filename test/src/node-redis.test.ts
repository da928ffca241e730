import { createRequire } from "node:module";
import { type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { scrape, type Scraped, sumOf } from "./scrape.js";
import { type RedisServer, startRedis } from "./servers/index.js";
import { serviceWays, startService, type WatchedService } from "./watched-service.js";

const { createClient } = createRequire(import.meta.url)("redis") as typeof import("redis");
const ways = await serviceWays();

describeWith(["redis-server"], "an unmodified service with node-redis", () => {
  let redis: RedisServer;
  let receiver: OtlpReceiver;
  beforeAll(async () => {
    [redis, receiver] = await Promise.all([startRedis({ own: true }), startOtlpReceiver()]);
  });
  afterAll(async () => {
    await Promise.all([receiver?.close(), redis?.stop()]);
  });
  async function figures() {
    const client = await createClient({ url: redis.url }).connect();
    const text = await client.info("all");
    await client.close();
    const figure = (pattern: string) => Number(new RegExp(`${pattern}(\\d+)`).exec(text)?.[1] ?? 0);
    return {
      gets: figure("cmdstat_get:calls="),
      hits: figure("keyspace_hits:"),
      misses: figure("keyspace_misses:"),
    };
  }

  describe.each(ways)("$program on Node $version", ({ binary, program }) => {
    let service: WatchedService;
    beforeAll(async () => {
      service = await startService(`node-redis/${program}`, binary, receiver, { REDIS_URL: redis.url });
    });
    beforeEach(() => receiver.reset());
    afterAll(() => service.stop());

    test("each command is below the request that it was made for", async () => {
      const client = await createClient({ url: redis.url }).connect();
      await client.flushAll();
      await client.close();
      expect(await service.traceOf("/user", 3)).toBe("GET\n  GET\n  SET");
      expect(receiver.spans.find(({ name }) => name === "SET")?.attributes).toMatchObject({
        "db.system.name": "redis",
        "db.namespace": "0",
        "db.operation.name": "SET",
        "db.query.text": "SET user:?",
        "server.address": "127.0.0.1",
        "server.port": redis.port,
      });
      receiver.reset();
      expect(await service.traceOf("/order", 5)).toBe("GET\n  MULTI\n  GET\n  INCR\n  EXEC");
      receiver.reset();
      expect(await service.traceOf("/broken", 2)).toBe("GET\n  HGET");
      const broken = receiver.spans.find(({ name }) => name === "HGET");
      expect([broken?.status.code, broken?.attributes["error.type"]]).toEqual(["error", "WRONGTYPE"]);
      receiver.reset();
      await Promise.all([fetch(`${service.url}/crowd`), fetch(`${service.url}/crowd`)]);
      await receiver.waitForSpans((received) => received.length >= 26);
      const requests = receiver.spans.filter(({ parentSpanId }) => parentSpanId === undefined);
      expect(requests).toHaveLength(2);
      for (const { spanId } of requests) {
        expect(receiver.spans.filter(({ parentSpanId }) => parentSpanId === spanId)).toHaveLength(12);
      }
    });

    test("the page counts what the server counts, knows the pool, and tells no values", async () => {
      const read = (page: Scraped) => {
        const lookups = (result: string) =>
          sumOf(page, "telltale_cache_lookups_total", 'db_system_name="redis"', `telltale_cache_result="${result}"`);
        return {
          gets: sumOf(page, "db_client_operation_duration_seconds_count", 'db_operation_name="GET"'),
          hits: lookups("hit"),
          misses: lookups("miss"),
        };
      };
      const [page, server] = [read(await scrape(service.metricsUrl)), await figures()];
      await Promise.all(["/user", "/order", "/crowd", "/crowd"].map((path) => fetch(service.url + path)));
      const after = await scrape(service.metricsUrl);
      const [told, counted] = [read(after), await figures()];
      const since = (now: typeof told, before: typeof told) => ({
        gets: now.gets - before.gets,
        hits: now.hits - before.hits,
        misses: now.misses - before.misses,
      });
      expect(since(told, page)).toEqual(since(counted, server));
      expect(since(told, page)).toEqual({ gets: 26, hits: 2, misses: 24 });
      const pool = `db_client_connection_pool_name="127.0.0.1:${redis.port}/0"`;
      const count = (state: string) => sumOf(after, "db_client_connection_count", pool, `state="${state}"`);
      expect([count("used"), count("idle")]).toEqual([0, 2]);
      expect(sumOf(after, "db_client_connection_limit", pool)).toBe(2);
      expect(sumOf(after, "db_client_connection_wait_time_seconds_count", pool)).toBeGreaterThanOrEqual(24);
      const all = JSON.stringify([[...after], receiver.spans], (_, value: unknown) =>
        typeof value === "bigint" ? `${value}` : value,
      );
      expect(all).not.toContain("s3cret");
    });
  });
});
