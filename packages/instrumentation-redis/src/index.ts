import { defineInstrumentation, type Instrumentation } from "@telltale/core";
import { ioredis } from "./source-ioredis.js";

/** Hears every Redis command of the app and what its cache lookups found: ioredis 5 and 6. */
export function redisInstrumentation(): Instrumentation {
  return defineInstrumentation({ name: "redis", systems: ["redis"], modules: [ioredis] });
}
