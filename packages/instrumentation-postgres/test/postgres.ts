import { createRequire } from "node:module";
import { postgresInstrumentation } from "../src/index.js";

// The instrumentation must be on before the driver loads, as the preload sees to it.
export const instrumentation = postgresInstrumentation();
instrumentation.enable();

export type Driver = typeof import("postgres");

export interface Release {
  readonly name: string;
  readonly driver: Driver;
  /** Whether the driver lets anybody know where it connects to: 3.0 does not. */
  readonly tellsOptions: boolean;
}

const require = createRequire(import.meta.url);
const imported = await import("postgres");

/** The oldest and the newest release that is supported. */
export const releases: readonly Release[] = [
  {
    name: "the oldest release",
    driver: createRequire(new URL("../../../.old-majors/package.json", import.meta.url))("postgres") as Driver,
    tellsOptions: false,
  },
  {
    name: "the newest release",
    driver: require("postgres") as Driver,
    tellsOptions: true,
  },
  { name: "the newest release as an ES module", driver: imported.default as Driver, tellsOptions: true },
];
