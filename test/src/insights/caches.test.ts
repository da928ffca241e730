import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import type { Finding } from "@telltale/core";
import { createInsights, type Insights } from "@telltale/insights";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { redisInstrumentation } from "@telltale/instrumentation-redis";
import { collect, type Collection } from "@telltale/testkit";
import type { Redis } from "ioredis";
import type { Pool } from "pg";
import { observeCache } from "telltale";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { serve } from "../requests.js";
import { type PostgresServer, type RedisServer, startPostgres, startRedis } from "../servers/index.js";
import { createRandom } from "./random.js";
import { score } from "./scoreboard.js";

const instrumentations = [pgInstrumentation(), redisInstrumentation()];
for (const instrumentation of instrumentations) instrumentation.enable();
const require = createRequire(import.meta.url);
const pg = require("pg") as typeof import("pg");
const { Redis: Client } = require("ioredis") as typeof import("ioredis");

const WINDOW_MS = 400;
const NEVER_READ_MS = 2_000;

const times = <Result>(count: number, work: (n: number) => Promise<Result>): Promise<Result[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)));

describeWith(["postgres", "redis"], "the use of caches", () => {
  let postgres: PostgresServer;
  let server: RedisServer;
  let redis: Redis;
  let pool: Pool;
  let insights: Insights;
  let collected: Collection;

  beforeAll(async () => {
    [postgres, server] = await Promise.all([startPostgres(), startRedis({ own: true })]);
    insights = createInsights({
      cacheFindings: {
        windowMs: WINDOW_MS,
        minLookups: 40,
        minWrites: 50,
        neverReadMs: NEVER_READ_MS,
        ignoreCaches: ["known"],
      },
    });
    collected = collect([insights]);
    redis = new Client(server.port, server.host);
    pool = new pg.Pool({ connectionString: postgres.url, max: 4 });
    await Promise.all([redis.ping(), times(4, () => pool.query("SELECT 1"))]);
  });
  afterAll(async () => {
    await pool.end();
    redis.disconnect();
    insights.stop();
    collected.stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
    await Promise.all([postgres.stop(), server.stop()]);
  });
  beforeEach(() => collected.reset());

  const found = (kind: Finding["kind"]): Finding[] => collected.findings.filter((finding) => finding.kind === kind);
  const patternsOf = (findings: readonly Finding[]): string[] =>
    findings.map(({ evidence }) => String(evidence?.["pattern"]));

  /** Reads through the cache. */
  async function through(key: string, ttlMs: number): Promise<void> {
    if ((await redis.get(key)) !== null) return;
    await redis.set(key, "value", "PX", ttlMs);
  }

  test("hit ratios, and keys that nobody reads", { timeout: 30_000 }, async () => {
    const random = createRandom(11);
    const untilMs = performance.now() + 9 * WINDOW_MS;
    const map = new Map<string, number>();
    observeCache("local", map);
    const good = new Map<string, number>();
    observeCache("steady", good);
    const sessions: string[] = [];
    let dirty: string[] = [];
    let flushedMs = performance.now();
    let serial = 0;
    let warmed = 0;
    let late = 0;

    const workloads: Record<string, () => Promise<unknown>> = {
      // Low.
      short: () => through(`short:${random.between(1, 300)}`, 10),
      specific: () => through(`specific:${serial++}:${random.between(1, 1e9)}`, 60_000),
      deleted: async () => {
        const key = `deleted:${random.between(1, 5)}`;
        await through(key, 60_000);
        await redis.del(key);
      },
      price: () => through(`item:${serial++}:price`, 60_000),
      name: () => through(`item:${random.between(1, 30)}:name`, 60_000),
      async hashes() {
        const key = `hashes:${serial++}`;
        if (Object.keys(await redis.hgetall(key)).length === 0) await redis.hset(key, { a: 1, b: 2 });
      },
      async batches() {
        const keys = Array.from({ length: 5 }, () => `batches:${serial++}`);
        const values = await redis.mget(keys);
        const missing = keys.filter((_, n) => values[n] === null);
        if (missing.length > 0) await redis.mset(Object.fromEntries(missing.map((key) => [key, "value"])));
      },
      async local() {
        const key = `k${serial++}`;
        if (map.get(key) === undefined) map.set(key, 1);
      },
      // As it should be.
      warm: () => through(`warm:${random.between(1, 20)}`, 60_000),
      /** Cold, with more and more hits, all the time of this test. */
      warming: () => through(`warming:${random.between(1, 40 + Math.floor(warmed++ / 2))}`, 60_000),
      rare: () => (random.between(1, 40) === 1 ? through(`rare:${serial++}`, 60_000) : pause(1)),
      known: () => through(`known:${serial++}`, 60_000),
      revoked: () => redis.get(`revoked:${serial++}`),
      async steady() {
        const key = `k${random.between(1, 20)}`;
        if (good.get(key) === undefined) good.set(key, 1);
      },
      async queue() {
        await redis.lpush("queue:jobs", "job");
        await redis.lrange("queue:jobs", 0, -1);
        await redis.rpop("queue:jobs");
        await redis.lrange("queue:jobs", 0, -1);
      },
      counter: () => redis.incr(`counter:${random.between(1, 5)}`),
      async lock() {
        const key = `lock:${serial++}`;
        await redis.get(key);
        await redis.set(key, "me", "PX", 1000, "NX");
        await redis.del(key);
      },
      async session() {
        sessions.push(`session:${serial++}`);
        await redis.set(sessions.at(-1) ?? "", "user", "EX", 60);
        // Long after.
        if (sessions.length > 100) await redis.get(sessions.shift() ?? "");
      },
      async written_behind() {
        dirty.push(`behind:${serial++}`);
        await redis.set(dirty.at(-1) ?? "", "row", "EX", 60);
        if (performance.now() - flushedMs < 600) return;
        const keys = dirty;
        dirty = [];
        flushedMs = performance.now();
        await redis.mget(keys);
        await redis.del(keys);
      },
      // Written, and never read.
      audit: () => redis.set(`audit:${serial++}`, "entry", "EX", 60),
      async totals() {
        await redis.hset(`totals:${serial++}:daily`, { sum: 1 });
      },
      preloaded: () => redis.mset({ [`preloaded:${serial++}`]: "a", [`preloaded:${serial++}`]: "b" }),
      // Not for long, or not often.
      seldom: () => (random.between(1, 60) === 1 ? redis.set(`seldom:${serial++}`, "value") : pause(1)),
      later: () => (untilMs - performance.now() < 300 ? redis.set(`later:${late++}`, "value") : pause(1)),
    };
    await Promise.all(
      Object.entries(workloads).map(async ([name, work]) => {
        while (performance.now() < untilMs) {
          await serve(`/${name}`, work);
          await pause(1);
        }
      }),
    );
    await pause(2 * WINDOW_MS);

    const low = ["short:?", "specific:?:?", "deleted:?", "item:?:price", "hashes:?", "batches:?", "local"];
    const unread = ["audit:?", "totals:?:daily", "preloaded:?"];
    const none = Object.keys(workloads).filter((name) => ![...low, ...unread].some((text) => text.startsWith(name)));
    const ratios = found("cache_low_hit_ratio");
    expect(score("cache_low_hit_ratio", low, patternsOf(ratios), [...none, ...unread])).toMatchObject({
      precision: 1,
      recall: 1,
    });
    expect(score("cache_never_read", unread, patternsOf(found("cache_never_read")), [...none, ...low])).toMatchObject({
      precision: 1,
      recall: 1,
    });
    const finding = (pattern: string) => ratios.find(({ evidence }) => evidence?.["pattern"] === pattern);
    expect(finding("deleted:?")).toMatchObject({ reason: "lost", endpoint: "GET /deleted", system: "redis" });
    expect(finding("specific:?:?")).toMatchObject({ reason: "never_again", endpoint: "GET /specific" });
    expect(finding("specific:?:?")?.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(finding("batches:?")?.evidence?.["missesPerRequest"]).toBe(5);
    for (const { title, fingerprint } of [...ratios, ...found("cache_never_read")]) {
      expect(`${title} ${fingerprint}`).not.toMatch(/:\d/);
    }
  });

  test("stampedes: the query, the endpoint, and how many did the same", { timeout: 30_000 }, async () => {
    const ask = (label: string, key: unknown, ms = 20): Promise<unknown> =>
      pool.query(`SELECT pg_sleep($1) AS ${label}, $2::text`, [ms / 1000, String(key)]);
    const fetch = async (label: string, key: string, ms?: number): Promise<void> => {
      if ((await redis.get(key)) !== null) return;
      await ask(label, key, ms);
      await redis.set(key, "value", "PX", 60_000);
    };
    const lru = new Map<string, number>();
    observeCache("lru", lru);
    const flights = new Map<string, Promise<void>>();
    const cases: Record<string, () => Promise<unknown>> = {
      hot: () => times(12, () => serve("/hot", () => fetch("hot", "hot:1"))),
      // With four connections, most of these wait for one.
      queued: () => times(30, () => serve("/queued", () => fetch("queued", "queued:1", 10))),
      mixed: () => times(8, (n) => serve(n < 6 ? "/mixed" : "/other", () => fetch("mixed", "mixed:9:a"))),
      parallel: () =>
        times(6, (n) =>
          serve("/parallel", () =>
            Promise.all([fetch("parallel", "parallel:menu"), fetch("apart", `parallel:user-${n}`)]),
          ),
        ),
      lru: () =>
        times(7, () =>
          serve("/lru", async () => {
            if (lru.get("menu") !== undefined) return;
            await ask("lru", "menu");
            lru.set("menu", 1);
          }),
        ),
      // Nothing to be helped, or helped already.
      cold: () => times(12, (n) => serve("/cold", () => fetch("cold", `cold:${n}`))),
      few: () => times(3, () => serve("/few", () => fetch("few", "few:1"))),
      fast: () => times(5, () => serve("/fast", () => fetch("fast", "fast:1", 0))),
      async one_by_one() {
        for (let n = 0; n < 8; n++) {
          await serve("/one_by_one", () => fetch("one_by_one", "one:1", 5));
          await redis.del("one:1");
        }
      },
      shared: () =>
        times(12, () =>
          serve("/shared", async () => {
            if ((await redis.get("shared:1")) !== null) return;
            if (!flights.has("shared")) flights.set("shared", fetch("shared", "shared:1"));
            await flights.get("shared");
          }),
        ),
      locked: () =>
        times(12, () =>
          serve("/locked", async () => {
            while ((await redis.get("locked:1")) === null) {
              if ((await redis.set("lock:locked", "me", "PX", 500, "NX")) === null) await pause(10);
              else await fetch("locked", "locked:1");
            }
          }),
        ),
      // Not there is the answer: nothing is put there, and the query is run either way.
      banned: () =>
        times(12, () =>
          serve("/banned", async () => {
            await redis.get("banned:17");
            await ask("banned", 17);
          }),
        ),
      hits: async () => {
        await redis.set("hits:1", "value");
        await times(12, () => serve("/hits", async () => (await redis.get("hits:1"), await ask("hits", 1))));
      },
    };
    for (const work of Object.values(cases)) await work();
    await pause(1_500);
    const expected = ["hot", "queued", "mixed", "parallel", "lru"];
    const stampedes = found("cache_stampede");
    const labels = stampedes.map(({ queryText }) => /AS (\w+)/.exec(queryText ?? "")?.[1] ?? "?");
    const none = Object.keys(cases).filter((name) => !expected.includes(name));
    // Whether five fast ones are worth a word is measured, as the machine may be busy; if they are, they are left out.
    const fastMs = collected.operations
      .filter((one) => one.kind === "database" && one.request?.route === "/fast" && one.template.system !== "redis")
      .reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
    const isCase = (label: string): boolean => label !== "fast" || fastMs < 20;
    const scored = score("cache_stampede", expected, labels.filter(isCase), none.filter(isCase));
    expect(scored).toMatchObject({ precision: 1, recall: 1 });
    const labelled = (label: string): Finding | undefined => stampedes[labels.indexOf(label)];
    const hot = labelled("hot");
    expect(hot).toMatchObject({
      endpoint: "GET /hot",
      route: "/hot",
      system: "postgresql",
      evidence: { cache: "hot", pattern: "hot:?", requests: 12, sameQuery: 12 },
    });
    expect(hot?.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(labelled("queued")?.evidence?.["requests"]).toBe(30);
    expect(labelled("mixed")?.evidence?.["endpoints"]).toBe("GET /mixed (6), GET /other (2)");
    expect(JSON.stringify(stampedes)).not.toMatch(/menu|:9:|user-/);
  });

  test("one key many times in one request", async () => {
    await redis.set("key:1", "value");
    await redis.hset("hash:1", { a: 1, b: 2, c: 3 });
    await times(20, (n) => redis.set(`many:${n}`, "value"));
    const repeat = async (count: number, work: (n: number) => Promise<unknown>): Promise<void> => {
      for (let n = 0; n < count; n++) await work(n);
    };
    const cases: Record<string, () => Promise<unknown>> = {
      "/get": () => repeat(100, () => redis.get("key:1")),
      "/at_once": () => times(100, () => redis.get("key:1")),
      "/hgetall": () => repeat(100, () => redis.hgetall("hash:1")),
      "/fields": () => repeat(100, (n) => redis.hget("hash:1", ["a", "b", "c", "d"][n % 4] ?? "")),
      "/among_others": () => repeat(200, (n) => redis.get(n % 2 === 0 ? "key:1" : `many:${n}`)),
      "/different": () => repeat(12, (n) => redis.get(`many:${n}`)),
      "/twice": () => repeat(2, () => redis.get("key:1")),
      "/mget": () => redis.mget(Array.from({ length: 20 }, (_, n) => `many:${n}`)),
      "/poll": () => repeat(12, async () => (await redis.get("key:1"), await pause(15))),
      "/written_between": () =>
        repeat(12, async (n) => (await redis.get("key:1"), await redis.set("key:1", `value ${n}`))),
      "/counter": () => repeat(12, () => redis.incr("counter:1")),
    };
    for (const [route, work] of Object.entries(cases)) await serve(route, work);
    const expected = ["/get", "/at_once", "/hgetall", "/fields", "/among_others"];
    const same = found("repeated_lookup").filter(({ evidence }) => evidence?.["reason"] === "same key");
    const none = Object.keys(cases).filter((route) => !expected.includes(route));
    expect(
      score(
        "repeated_lookup: same key",
        expected,
        same.map(({ route }) => String(route)),
        none,
      ),
    ).toMatchObject({ precision: 1, recall: 1 });
    expect(same[0]).toMatchObject({ count: 100, reason: "same key", evidence: { pattern: "key:?", reads: 100 } });
    // One cause is told once.
    const others = collected.findings.filter(({ route }) => route !== "/different" && route !== "/among_others");
    expect(others.filter(({ kind }) => kind === "n_plus_one" || kind === "duplicate_query")).toEqual([]);
  });

  test("requests that are slow for what they miss", { timeout: 30_000 }, async () => {
    const document = (n: number): string => `doc:${n}`;
    await redis.mset(Object.fromEntries(Array.from({ length: 50 }, (_, n) => [document(n), "text"])));
    const top = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await serve("/top", () => redis.get(document(n % 50)));
    };
    /** Reads as many that are not there, and asks the database for all of them at once. */
    const tail = (route: string, count: number, ms: number): Promise<unknown> =>
      serve(route, async () => {
        const keys = Array.from({ length: count }, (_, n) => document(1_000 + n));
        await redis.mget(keys);
        await pool.query("SELECT pg_sleep($1), $2::text[]", [ms / 1000, keys]);
      });
    const untilMs = performance.now() + 4 * WINDOW_MS;
    while (performance.now() < untilMs) {
      await top(20);
      await pause(5);
    }
    await tail("/once", 20, 120);
    for (let n = 0; n < 4; n++) {
      await tail("/few", 4, 120);
      await tail("/fast", 20, 5);
    }
    expect(found("cache_low_hit_ratio")).toEqual([]);
    await pause(2 * WINDOW_MS);
    await top(200);
    await pause(1.2 * WINDOW_MS);
    for (let n = 0; n < 4; n++) await Promise.all([tail("/tail", 20, 120), top(200)]);
    const misses = found("cache_low_hit_ratio");
    expect(
      score(
        "cache_low_hit_ratio: one request",
        ["/tail"],
        misses.map(({ route }) => String(route)),
        ["/once", "/few", "/fast", "/top"],
      ),
    ).toMatchObject({ precision: 1, recall: 1 });
    expect(misses).toMatchObject([
      { reason: "one_request", endpoint: "GET /tail", evidence: { pattern: "doc:?", misses: 20 } },
    ]);
  });
});
