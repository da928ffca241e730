import { startPostgres, startRedis } from "@telltale/test/servers";
import { Redis } from "ioredis";
import pg from "pg";

export interface Databases {
  /** For the app. */
  readonly env: Record<string, string>;
}

/** Items that are always in the cache; the others never are when they are first asked for. */
export const CACHED_ITEMS = 1_000;
export const ITEMS = 300_000;
const POOL_SIZE = 20;

/** PostgreSQL and Redis with the data of the app, for so many servers at once. */
export async function startDatabases(servers: number, ending: AsyncDisposableStack): Promise<Databases> {
  const postgres = await startPostgres({ settings: { max_connections: Math.max(600, servers * POOL_SIZE + 20) } });
  ending.defer(() => postgres.stop());
  const redis = await startRedis({ own: true });
  ending.defer(() => redis.stop());
  await fillPostgres(postgres.url);
  await fillRedis(redis.url);
  return {
    env: { BENCH_POSTGRES_URL: postgres.url, BENCH_REDIS_URL: redis.url, BENCH_POOL_SIZE: String(POOL_SIZE) },
  };
}

async function fillPostgres(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`
    CREATE TABLE items (
      id integer PRIMARY KEY, name text NOT NULL, price numeric(10, 2) NOT NULL, stock integer NOT NULL,
      updated_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO items (id, name, price, stock)
      SELECT i, 'Item number ' || i, (i % 9973) / 7.0, i % 131 FROM generate_series(1, ${ITEMS}) i;
    ANALYZE items`);
  await client.end();
}

async function fillRedis(url: string): Promise<void> {
  const redis = new Redis(url);
  const pipeline = redis.pipeline();
  for (let id = 1; id <= CACHED_ITEMS; id++) {
    const price = ((id % 9973) / 7).toFixed(2);
    const item = { id, name: `Item number ${id}`, price, stock: id % 131, updated_at: "2026-01-01T00:00:00.000Z" };
    pipeline.set(`item:${id}`, JSON.stringify(item));
  }
  await pipeline.exec();
  redis.disconnect();
}
