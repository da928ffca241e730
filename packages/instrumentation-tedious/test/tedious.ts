import { createRequire } from "node:module";
import { tediousInstrumentation } from "../src/index.js";

// The instrumentation must be on before the driver loads, as the preload sees to it.
export const instrumentation = tediousInstrumentation();
instrumentation.enable();

export type Tedious = typeof import("tedious");
// mssql brings no types.
export interface Mssql {
  readonly Int: unknown;
  readonly ConnectionPool: new (config: object) => MssqlPool;
  readonly PreparedStatement: new (pool: MssqlPool) => {
    input(name: string, type: unknown): void;
    prepare(text: string): Promise<void>;
    execute(values: object): Promise<{ recordset: unknown[] }>;
    unprepare(): Promise<void>;
  };
}

interface MssqlRequest {
  input(name: string, value: unknown): MssqlRequest;
  query(text: string): Promise<{ recordset: unknown[] }>;
  query(text: string, callback: (error: unknown, result?: { recordset: unknown[] }) => void): void;
  batch(text: string): Promise<unknown>;
  execute(procedure: string): Promise<unknown>;
}

export interface MssqlPool {
  readonly pool: { numUsed(): number; numFree(): number };
  connect(): Promise<MssqlPool>;
  close(): Promise<void>;
  acquire(requester: object): Promise<unknown>;
  release(connection: unknown): unknown;
  request(): MssqlRequest;
  query(text: string): Promise<{ recordset: unknown[] }>;
  transaction(): {
    begin(): Promise<void>;
    commit(): Promise<void>;
    rollback(): Promise<void>;
    request(): MssqlRequest;
  };
}

/** The oldest and the newest release that is supported. */
export const releases = [
  { name: "the oldest releases", from: new URL("../../../.old-majors/package.json", import.meta.url) },
  { name: "the newest releases", from: import.meta.url },
].map(({ name, from }) => {
  const require = createRequire(from);
  return { name, tedious: require("tedious") as Tedious, mssql: require("mssql") as Mssql };
});
