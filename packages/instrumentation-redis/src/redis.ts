import { defineInstrumentation, type Instrumentation } from "@telltale/core";
import { ioredis } from "./source-ioredis.js";
import { nodeRedis, nodeRedisClient } from "./source-node-redis.js";

/** Hears every Redis command of the app and what its cache lookups found, with either driver. */
export function redisInstrumentation(): Instrumentation {
  return defineInstrumentation({ name: "redis", modules: [ioredis, nodeRedis, nodeRedisClient] });
}

/** ioredis 5 and 6. */
export function ioredisInstrumentation(): Instrumentation {
  return defineInstrumentation({ name: "ioredis", modules: [ioredis] });
}

/** node-redis (`redis`) 4 to 6, with its pools and its client-side cache. */
export function nodeRedisInstrumentation(): Instrumentation {
  return defineInstrumentation({ name: "redis", modules: [nodeRedis, nodeRedisClient] });
}
