import { createRequire } from "node:module";
import { pgInstrumentation } from "../src/index.js";

const require = createRequire(import.meta.url);

// The instrumentation must be on before the driver loads, as the preload sees to it.
export const instrumentation = pgInstrumentation();
instrumentation.enable();
export const pg = require("pg") as typeof import("pg");
export const Cursor = require("pg-cursor") as new (
  text: string,
  values?: unknown[],
) => import("pg").Submittable & {
  read(rows: number): Promise<unknown[]>;
  close(): Promise<void>;
};
export const QueryStream = require("pg-query-stream") as new (
  text: string,
  values?: unknown[],
) => import("pg").Submittable & NodeJS.ReadableStream;
