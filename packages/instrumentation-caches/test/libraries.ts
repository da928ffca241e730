import { createRequire } from "node:module";
import type { Instrumentation } from "@telltale/core";
import {
  keyvInstrumentation,
  memcachedInstrumentation,
  memjsInstrumentation,
  nodeCacheInstrumentation,
} from "../src/index.js";

// The instrumentations must be on before the libraries load, as the preload sees to it.
export const instrumentations: Readonly<Record<"keyv" | "memcached" | "memjs" | "nodeCache", Instrumentation>> = {
  keyv: keyvInstrumentation(),
  memcached: memcachedInstrumentation(),
  memjs: memjsInstrumentation(),
  nodeCache: nodeCacheInstrumentation(),
};
for (const instrumentation of Object.values(instrumentations)) instrumentation.enable();

const require = createRequire(import.meta.url);
const requireOld = createRequire(new URL("../../../.old-majors/package.json", import.meta.url));

/** The oldest and the newest release of a library that is supported, and others by the name they are installed under. */
export function releasesOf<Library>(
  name: string,
  others: readonly string[] = [],
): { release: string; library: Library }[] {
  return [
    { release: "the oldest release", library: requireOld(name) as Library },
    { release: "the newest release", library: require(name) as Library },
    ...others.map((other) => ({ release: other, library: require(other) as Library })),
  ];
}
