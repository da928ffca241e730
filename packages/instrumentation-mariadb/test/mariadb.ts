import { createRequire } from "node:module";
import { mariadbInstrumentation } from "../src/index.js";

// The instrumentation must be on before the driver loads, as the preload sees to it.
export const instrumentation = mariadbInstrumentation();
instrumentation.enable();

export type Driver = typeof import("mariadb");
export type CallbackDriver = typeof import("mariadb/callback");

export interface Release {
  readonly name: string;
  readonly driver: Driver;
  readonly callback: CallbackDriver;
}

const require = createRequire(import.meta.url);
const old = createRequire(new URL("../../../.old-majors/package.json", import.meta.url));
const imported = {
  driver: (await import("mariadb")) as unknown as Driver,
  callback: (await import("mariadb/callback")) as unknown as CallbackDriver,
};

/** The oldest and the newest release that is supported; the newest is other code for `import`. */
export const releases: readonly Release[] = [
  { name: "the oldest release", driver: old("mariadb") as Driver, callback: old("mariadb/callback") as CallbackDriver },
  {
    name: "the newest release",
    driver: require("mariadb") as Driver,
    callback: require("mariadb/callback") as CallbackDriver,
  },
  { name: "the newest release as an ES module", ...imported },
];
