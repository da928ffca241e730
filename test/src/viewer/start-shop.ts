import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { runProgram } from "../run-program.js";
import { startPostgres, startRedis } from "../servers/index.js";
import { startProgram } from "../start-program.js";

/** examples/shop on real servers, with the preload, as `telltale dev` starts an app. */
export interface WatchedShop {
  readonly url: string;
  /** Keys that Redis itself found, and did not find, since the shop started. */
  redisLookups(): Promise<{ hits: number; misses: number }>;
  /** Ends the shop, so that all it has to tell is told; the servers stay. */
  end(): Promise<void>;
  /** Ends everything. */
  stop(): Promise<void>;
}

const program = (path: string): string => fileURLToPath(new URL(`../../../examples/shop/src/${path}`, import.meta.url));

/** Starts the shop, whose telemetry goes to `otlpUrl`. */
export async function startShop(otlpUrl: string): Promise<WatchedShop> {
  await using starting = new AsyncDisposableStack();
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis({ own: true })]);
  starting.defer(() => postgres.stop());
  starting.defer(() => redis.stop());
  const seeded = await runProgram(program("seed.js"), { env: { DATABASE_URL: postgres.url } });
  if (seeded.code !== 0) throw new Error(`seeding the shop ended with ${seeded.code}:\n${seeded.stderr}`);
  const shop = startProgram(program("server.js"), {
    env: {
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      PORT: "0",
      OTEL_SERVICE_NAME: "shop",
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_METRICS_EXPORTER: "otlp",
      OTEL_LOGS_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl,
      OTEL_METRIC_EXPORT_INTERVAL: "500",
      OTEL_BSP_SCHEDULE_DELAY: "200",
      OTEL_BLRP_SCHEDULE_DELAY: "200",
      TELLTALE_FINDING_EVENTS_MS: "200",
    },
  });
  starting.defer(() => shop.kill());
  const [listening] = await shop.said(/^shop listens on (http:\S+)$/, 1);
  const admin = new Redis(redis.url);
  starting.defer(() => admin.disconnect());
  await admin.config("RESETSTAT");
  const running = starting.move();
  return {
    url: listening?.[1] ?? "",
    async redisLookups() {
      const stats = await admin.info("stats");
      const read = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(stats)?.[1]);
      return { hits: read("keyspace_hits"), misses: read("keyspace_misses") };
    },
    async end() {
      const ended = new Promise((resolve) => shop.child.once("exit", resolve));
      if (shop.child.exitCode !== null) return;
      shop.child.kill("SIGTERM");
      await ended;
    },
    stop: () => running.disposeAsync(),
  };
}

/** What was asked for of one route, and what its code says each of the requests does. */
export interface Asked {
  readonly route: string;
  readonly paths: readonly string[];
  readonly status: number;
  /** Database calls of each, but for Redis. */
  readonly queries: number;
  /** Milliseconds that each takes at least. */
  readonly atLeastMs?: number;
}

const repeat = (times: number, path: string): string[] => Array.from({ length: times }, () => path);
const products = Array.from({ length: 10 }, (_, index) => `/products/${index + 1}`);

/** In this order: the second round of products finds in the cache what the first put there. */
export const VISITS: readonly Asked[] = [
  { route: "GET /orders", paths: repeat(6, "/orders"), status: 200, queries: 26 },
  { route: "GET /orders-batched", paths: repeat(5, "/orders-batched"), status: 200, queries: 2 },
  { route: "GET /search-indexed", paths: repeat(4, "/search-indexed?q=copper"), status: 200, queries: 1 },
  { route: "GET /search", paths: repeat(3, "/search?q=copper+kettle"), status: 200, queries: 1 },
  { route: "GET /products/:id", paths: products, status: 200, queries: 1 },
  { route: "GET /products/:id", paths: [...products, ...products, ...products], status: 200, queries: 0 },
  { route: "GET /products/:id", paths: repeat(2, "/products/404404"), status: 404, queries: 1 },
  // More readers than connections, and each holds one while it waits for somebody else.
  { route: "GET /report", paths: repeat(12, "/report"), status: 200, queries: 1, atLeastMs: 400 },
];

/** Asks for all of it, what belongs to the report at once and the rest in turn, and says what was answered otherwise than expected. */
export async function visitShop(url: string, visits: readonly Asked[] = VISITS): Promise<string[]> {
  const wrong: string[] = [];
  for (const { route, paths, status } of visits) {
    const one = async (path: string): Promise<void> => {
      const answer = await fetch(url + path);
      await answer.arrayBuffer();
      if (answer.status !== status) wrong.push(`${path}: ${answer.status}`);
    };
    if (route === "GET /report") await Promise.all(paths.map(one));
    else for (const path of paths) await one(path);
  }
  return wrong;
}
