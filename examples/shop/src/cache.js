import { Redis } from "ioredis";

/** Values as JSON in Redis. The shop works without it, slower: a failing cache is an empty one. */
export function createCache({ redisUrl }) {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 1 });
  redis.on("error", (error) => console.error(`redis: ${error.message}`));

  const write = (key, value, ttlSeconds) => redis.set(key, JSON.stringify(value), "EX", ttlSeconds).catch(() => {});

  /** Cache-aside: what Redis has, else what `load` finds, kept for the next caller. */
  async function through(key, ttlSeconds, load) {
    const cached = await redis.get(key).catch(() => null);
    if (cached !== null) return JSON.parse(cached);
    const value = await load();
    if (value !== undefined) await write(key, value, ttlSeconds);
    return value;
  }

  /** Cache-aside for many: one MGET, then one `load` with the ids that Redis did not have. Keeps the order of `ids`. */
  async function throughMany(prefix, ids, ttlSeconds, load) {
    if (ids.length === 0) return [];
    const cached = await redis.mget(ids.map((id) => prefix + id)).catch(() => []);
    const found = new Map();
    for (const [index, id] of ids.entries()) if (cached[index]) found.set(id, JSON.parse(cached[index]));
    const missing = ids.filter((id) => !found.has(id));
    if (missing.length > 0) {
      const loaded = await load(missing);
      for (const value of loaded) found.set(value.id, value);
      await Promise.all(loaded.map((value) => write(prefix + value.id, value, ttlSeconds)));
    }
    return ids.map((id) => found.get(id)).filter((value) => value !== undefined);
  }

  return {
    through,
    throughMany,
    forget: (keys) => redis.del(keys).catch(() => {}),
    ping: () => redis.ping(),
    close: () => redis.quit().catch(() => redis.disconnect()),
  };
}
