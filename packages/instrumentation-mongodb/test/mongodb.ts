import { createRequire } from "node:module";
import { mongodbInstrumentation } from "../src/index.js";

// The instrumentation must be on before the driver loads, as the preload sees to it.
export const instrumentation = mongodbInstrumentation();
instrumentation.enable();

export type Driver = typeof import("mongodb");

/** The oldest and the newest release that is supported. */
export const releases = [
  { name: "the oldest release", from: new URL("../../../.old-majors/package.json", import.meta.url) },
  { name: "the newest release", from: import.meta.url },
].map(({ name, from }) => ({ name, driver: createRequire(from)("mongodb") as Driver }));
