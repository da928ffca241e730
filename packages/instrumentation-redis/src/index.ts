export { redisInstrumentation } from "./redis.js";
