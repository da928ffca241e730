import { createRequire } from "node:module";
import { dirname } from "node:path";

/** ioredis as the tests use it: what both majors have. */
export type Ioredis = typeof import("ioredis").Redis;
export type RedisClient = InstanceType<Ioredis>;

const here = createRequire(import.meta.url);
const old = createRequire(new URL("../../../.old-majors/package.json", import.meta.url));

/** Both supported majors, each loaded from its own copy; loaded after the instrumentation is on. */
export const drivers = [load(5, old), load(6, here)];

function load(major: number, require: NodeJS.Require) {
  const { version } = require("ioredis/package.json") as { version: string };
  if (!version.startsWith(`${major}.`)) throw new Error(`expected ioredis ${major}, found ${version}`);
  return {
    major,
    version,
    folder: dirname(require.resolve("ioredis/package.json")),
    load: () => require("ioredis") as Ioredis,
  };
}
