import { createRequire } from "node:module";
import { dirname } from "node:path";

/** node-redis as the tests use it, with the types of the newest: they ask before they use what not every major has. */
export type NodeRedis = typeof import("redis");
export type NodeRedisClient = ReturnType<NodeRedis["createClient"]>;

const here = createRequire(import.meta.url);
const old = createRequire(new URL("../../../.old-majors/package.json", import.meta.url));

/** The oldest supported release, and one of each newer major; each has its own copy of `@redis/client`. */
export const nodeRedisDrivers = [load(4, old, "redis"), load(5, old, "redis-5"), load(6, here, "redis")];

function load(major: number, require: NodeJS.Require, name: string) {
  const manifest = require.resolve(`${name}/package.json`);
  const { version } = require(manifest) as { version: string };
  if (!version.startsWith(`${major}.`)) throw new Error(`expected redis ${major}, found ${version}`);
  const inside = createRequire(require.resolve(name));
  return {
    major,
    version,
    folder: dirname(manifest),
    inside,
    /** A file of the client's. */
    inner: <T>(path: string) => inside(`@redis/client/dist/${path}`) as T,
    /** `redis` brings the client along, but 5.0 hands out only part of its exports. */
    load: () => ({ ...(inside("@redis/client") as object), ...(require(name) as object) }) as NodeRedis,
  };
}
