import { limitOf } from "@telltale/core";
import type { Call } from "./call.js";
import type { CommandShape } from "./templates.js";

export type Library = "ioredis" | "redis";

/** A database on a server, as commands are sent to it. */
export interface Target {
  readonly library: Library;
  readonly address: string | undefined;
  readonly port: number | undefined;
  /** The database's index. */
  readonly namespace: string;
  /** By command name, as the app spells it. */
  readonly shapes: Map<string, CommandShape>;
}

/** Where a client's commands go now, and the transaction that is open on its connection. */
export interface Connection {
  target: Target;
  /** Calls that answered QUEUED since MULTI, in the server's order; undefined outside of a transaction. */
  queued: Call[] | undefined;
}

const MAX_TARGETS = 1000;
const unshared = limitOf("redis.targets");
const targets = new Map<string, Target>();

export function findTarget(
  library: Library,
  address: string | undefined,
  port: number | undefined,
  database: number,
): Target {
  const namespace = String(database);
  const key = `${library} ${address} ${port} ${namespace}`;
  const known = targets.get(key);
  if (known !== undefined) return known;
  const target: Target = { library, address, port, namespace, shapes: new Map() };
  if (targets.size < MAX_TARGETS) targets.set(key, target);
  else unshared.total += 1;
  return target;
}
