/** Settings come from the environment; PostgreSQL's own PGHOST, PGUSER, … are read by pg where DATABASE_URL is not set. */
export function readConfig(env) {
  return {
    port: Number(env.PORT ?? 3000),
    host: env.HOST ?? "127.0.0.1",
    databaseUrl: env.DATABASE_URL,
    redisUrl: env.REDIS_URL ?? "redis://127.0.0.1:6379",
    poolSize: Number(env.POOL_SIZE ?? 5),
  };
}
