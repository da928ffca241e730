import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { fixture, plainEnvironment, type ProgramRun, runProgram } from "./run-program.js";
import { freePort, startPostgres, startPrometheus, startRedis } from "./servers/index.js";
import { type RunningProgram, startProgram } from "./start-program.js";

const CLI = fileURLToPath(new URL("../../packages/telltale/telltale.cjs", import.meta.url));
const SHOP = fileURLToPath(new URL("../../examples/shop/src/", import.meta.url));
const SECONDS = 3;
/** The machine that runs the tests is shared: what it does to latency and throughput is no regression here. */
const LOOK = ["--seconds", String(SECONDS), "--throughput", "0.2", "--p99", "5", "--min-requests", "50"];

interface Figures {
  requests: number;
  errorRatio: number;
  p50Ms: number;
  queriesPerRequest: number;
}
interface Recorded {
  routes: Record<string, Figures>;
  queries: Record<string, { calls: number }>;
  caches: Record<string, { lookups: number; hitRatio: number }>;
}
interface Compared {
  regressions: { kind: string; where: string; figure: string; before: number; now: number }[];
}

/** Whether two looks counted about as many requests: as many seconds of the same load, of which a scrape may be missing. */
function areAlike(one: Recorded, other: Recorded): boolean {
  return Object.entries(one.routes).every(([route, { requests }]) => {
    const ratio = (other.routes[route]?.requests ?? 0) / requests;
    return ratio > 0.4 && ratio < 2.5;
  });
}

describeWith(["postgres", "redis-server", "prometheus"], "telltale baseline, of a shop under load", () => {
  const running = new AsyncDisposableStack();
  let folder = "";
  const env = { DATABASE_URL: "", REDIS_URL: "", PORT: "", OTEL_EXPORTER_PROMETHEUS_PORT: "" };
  const prometheus = { url: "" };
  let metricsUrl = "";

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "telltale-baseline-"));
    running.defer(() => rmSync(folder, { recursive: true, force: true }));
    const [postgres, redis, port, metricsPort] = await Promise.all([
      startPostgres(),
      startRedis({ own: true }),
      freePort(),
      freePort(),
    ]);
    running.defer(postgres.stop);
    running.defer(redis.stop);
    const target = `127.0.0.1:${metricsPort}`;
    const server = await startPrometheus({ scrape: [{ job: "shop", target }], scrapeInterval: "500ms" });
    running.defer(server.stop);
    prometheus.url = server.url;
    metricsUrl = `http://${target}/metrics`;
    Object.assign(env, {
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      PORT: String(port),
      OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort),
    });
    const seeded = await runProgram(join(SHOP, "seed.js"), { env, timeoutMs: 60_000 });
    expect(seeded).toMatchObject({ code: 0, stderr: "" });
  }, 90_000);
  afterAll(() => running.disposeAsync());

  async function startShop(worse: string): Promise<RunningProgram> {
    const shop = startProgram(join(SHOP, "server.js"), {
      // After the preload, whose patches it wraps.
      env: {
        ...plainEnvironment(),
        ...env,
        WORSE: worse,
        NODE_OPTIONS: `--import ${pathToFileURL(fixture("worse-shop.mjs")).href}`,
      },
    });
    await shop.said(/shop listens/, 1);
    return shop;
  }

  /** Runs a command while a shop is under load; it has had some before, as a cold shop is another one. */
  async function underLoad<T>(worse: string, command: () => Promise<T>): Promise<T> {
    const shop = await startShop(worse);
    const load = startVisits(`http://127.0.0.1:${env.PORT}`);
    try {
      await sleep(1_000);
      return await command();
    } finally {
      await load.stop();
      await shop.kill();
    }
  }
  const file = "before.json";
  const run = (...args: string[]): Promise<ProgramRun> =>
    runProgram(CLI, { args: ["baseline", ...args], cwd: folder, timeoutMs: 60_000 });
  const compared = async (
    worse: string,
    ...args: string[]
  ): Promise<{ code: number | null; regressions: Compared["regressions"] }> => {
    const { code, stdout, stderr } = await underLoad(worse, () =>
      run("compare", "--baseline", file, "--url", metricsUrl, "--json", ...LOOK, ...args),
    );
    expect(stderr).toBe(`telltale: looking at ${metricsUrl} for ${SECONDS} s\n`);
    return { code, regressions: (JSON.parse(stdout) as Compared).regressions };
  };
  const read = (path: string): Recorded => JSON.parse(readFileSync(join(folder, path), "utf8")) as Recorded;

  test(
    "is recorded, from the service and from a Prometheus alike; the same again is quiet",
    { timeout: 60_000 },
    async () => {
      const stored = "stored.json";
      const direct = ["--url", metricsUrl, "--seconds", String(SECONDS)];
      const select = ["--prometheus", prometheus.url, "--select", 'job="shop"', "--seconds", String(SECONDS)];
      await underLoad("", async () => {
        // Again where the machine was slow in one look and not in the other, or scrapes were late.
        let looks = 0;
        do {
          const { code, stdout } = await run("record", ...direct, "--out", file);
          expect(code).toBe(0);
          expect(stdout).toMatch(/\n {2}GET \/products\/:id +\d+ +[\d.]+ +0\.0 % /);
          expect(await run("record", ...select, "--out", stored)).toMatchObject({ code: 0, stderr: "" });
        } while (++looks < 3 && !areAlike(read(file), read(stored)));
        expect(await run("compare", ...select, "--baseline", stored, ...LOOK)).toMatchObject({ code: 0, stderr: "" });
      });
      const { routes, queries, caches } = read(file);
      expect(Object.keys(routes)).toEqual(["GET /orders-batched", "GET /products/:id", "GET /search-indexed"]);
      // By the shop's own code: two queries, one unless it is cached, one.
      expect(routes["GET /orders-batched"]?.queriesPerRequest).toBeCloseTo(2, 1);
      expect(routes["GET /search-indexed"]?.queriesPerRequest).toBeCloseTo(1, 1);
      expect(routes["GET /products/:id"]?.queriesPerRequest).toBeLessThan(0.1);
      expect(caches["product"]?.hitRatio).toBeGreaterThan(0.9);
      expect(Object.keys(queries)).toContain("postgresql SELECT products");

      const other = read(stored);
      expect(Object.keys(other.routes)).toEqual(Object.keys(routes));
      for (const [route, figures] of Object.entries(routes)) {
        expect(other.routes[route]?.queriesPerRequest).toBeCloseTo(figures.queriesPerRequest, 0);
      }
      expect(areAlike(read(file), other), JSON.stringify([routes, other.routes])).toBe(true);

      expect(await compared("")).toEqual({ code: 0, regressions: [] });
    },
  );

  test.each([
    {
      worse: "sleep loop misses",
      expected: [
        { kind: "latency", where: "GET /search-indexed" },
        { kind: "queries", where: "GET /orders-batched" },
        { kind: "hit_ratio", where: "product" },
        // What was missed is written.
        { kind: "new_query", where: "redis SET" },
      ],
    },
    {
      worse: "errors query cache",
      expected: [
        { kind: "errors", where: "GET /search-indexed" },
        { kind: "new_query", where: "postgresql SELECT customers" },
        { kind: "cache_unused", where: "product" },
      ],
    },
  ])("is compared with what is worse: $worse", { timeout: 30_000 }, async ({ worse, expected }) => {
    const { code, regressions } = await compared(worse);
    expect(code).toBe(1);
    const found = regressions.map(({ kind, where }) => ({ kind, where }));
    expect(found).toEqual(expect.arrayContaining(expected));
    // One illness slows down others, and makes queries of lookups; it does not invent errors, or caches.
    const kinds = new Set([...expected.map(({ kind }) => kind), "latency", "queries", "throughput"]);
    expect(found.filter(({ kind }) => !kinds.has(kind))).toEqual([]);
  });

  test("a loop is found in what a Prometheus has stored, and told in a table", { timeout: 30_000 }, async () => {
    const { code, stdout } = await underLoad("loop", async () => {
      await sleep(SECONDS * 1000);
      return run("compare", "--prometheus", prometheus.url, "--select", 'job="shop"', "--baseline", file, ...LOOK);
    });
    expect(stdout).toMatch(/^\d regressions?:\n\n {2}what +where +figure +before +now +limit\n/);
    expect(stdout).toMatch(
      /\n {2}more queries +GET \/orders-batched +queries per request +2(\.0)? +2[56](\.\d)? +2\.5/,
    );
    expect(code).toBe(1);
  });

  test("ten requests are no regression", { timeout: 30_000 }, async () => {
    const shop = await startShop("errors");
    try {
      const look = run("compare", "--baseline", file, "--url", metricsUrl, "--seconds", "2");
      for (let n = 0; n < 10; n++) await visit(`http://127.0.0.1:${env.PORT}/search-indexed?q=copper`);
      const { code, stderr } = await look;
      expect(stderr).toMatch(/too little traffic to compare: \d+ requests in 2 s, and no route has 100 in both looks/);
      expect(code).toBe(2);
    } finally {
      await shop.kill();
    }
  });
});

const PATHS = ["/products/7", "/orders-batched", "/products/8", "/search-indexed?q=copper", "/products/9"];

/** A few visitors who take turns at what there is. */
function startVisits(url: string): { stop(): Promise<void> } {
  const agent = new Agent({ keepAlive: true });
  const state = { isRunning: true };
  let n = 0;
  const visitors = Array.from({ length: 6 }, async () => {
    while (state.isRunning) {
      await visit(`${url}${PATHS[n++ % PATHS.length]}`, agent);
      await sleep(10);
    }
  });
  return {
    async stop() {
      state.isRunning = false;
      await Promise.all(visitors);
      agent.destroy();
    },
  };
}

function visit(url: string, agent?: Agent): Promise<void> {
  return new Promise((resolve) => {
    get(url, { agent }, (response) => response.resume().on("end", resolve).on("error", resolve)).on("error", () =>
      resolve(),
    );
  });
}
