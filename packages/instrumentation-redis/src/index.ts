export { ioredisInstrumentation, nodeRedisInstrumentation, redisInstrumentation } from "./redis.js";
