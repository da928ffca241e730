import { createRequire } from "node:module";
import { mysql2Instrumentation } from "../src/index.js";

// The instrumentation must be on before the driver loads, as the preload sees to it.
export const instrumentation = mysql2Instrumentation();
instrumentation.enable();

export type Driver = typeof import("mysql2");
export type PromiseDriver = typeof import("mysql2/promise");

export interface Release {
  readonly name: string;
  readonly driver: Driver;
  readonly promise: PromiseDriver;
}

/** The oldest and the newest release that is supported. */
export const releases: readonly Release[] = [
  { name: "the oldest release", from: new URL("../../../.old-majors/package.json", import.meta.url) },
  { name: "the newest release", from: import.meta.url },
].map(({ name, from }) => {
  const require = createRequire(from);
  // As most apps do: first, and without the main module.
  const promise = require("mysql2/promise") as PromiseDriver;
  return { name, driver: require("mysql2") as Driver, promise };
});
