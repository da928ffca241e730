import { defineInstrumentation, type Instrumentation } from "@telltale/core";
import { ioredis } from "./source-ioredis.js";
import { nodeRedis, nodeRedisClient } from "./source-node-redis.js";

const DRIVERS = { ioredis: [ioredis], redis: [nodeRedis, nodeRedisClient] };

/**
 * Hears every Redis command of the app and what its cache lookups found: ioredis 5 and 6, and node-redis (`redis`) 4 to 6 with its pools and
 * its client-side cache; or `only` one of them.
 */
export function redisInstrumentation(only?: "ioredis" | "redis"): Instrumentation {
  const modules = only === undefined ? Object.values(DRIVERS).flat() : DRIVERS[only];
  return defineInstrumentation({ name: only ?? "redis", modules });
}
