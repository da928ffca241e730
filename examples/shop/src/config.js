/**
 * Settings come from the environment; PostgreSQL's own PGHOST, PGUSER, … are read by pg where DATABASE_URL is not set.
 *
 * @throws Error that names the variable, what it holds and what it may hold.
 */
export function readConfig(env) {
  return {
    port: readNumber(env, "PORT", 3000, 0, 65_535),
    host: env.HOST ?? "127.0.0.1",
    databaseUrl: env.DATABASE_URL,
    redisUrl: env.REDIS_URL ?? "redis://127.0.0.1:6379",
    poolSize: readNumber(env, "POOL_SIZE", 5, 1, 1000),
  };
}

/** A whole number from the environment; `byDefault` where there is none, or an empty one. */
export function readNumber(env, name, byDefault, least, most) {
  const text = env[name]?.trim();
  if (!text) return byDefault;
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new Error(`${name} must be a whole number from ${least} to ${most}, got ${JSON.stringify(text)}`);
}
