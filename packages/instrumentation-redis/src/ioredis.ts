import type { Argument } from "./commands.js";

// What is used of ioredis, equal in majors 5 and 6.

/** A `Redis`, or a `Cluster` as far as it is one. */
export interface Client {
  readonly status: string;
  readonly isCluster?: boolean;
  readonly options: {
    readonly host?: string;
    readonly port?: number;
    readonly path?: string;
    readonly db?: number;
    readonly sentinels?: unknown;
    readonly connectionName?: string;
  };
  /** The connection's state, present once it has begun to connect. */
  readonly condition?: { readonly select?: number } | null;
  readonly stream?: { readonly remoteAddress?: string; readonly remotePort?: number };
  /** Pipelines that ioredis fills by itself (`enableAutoPipelining`) and that still take commands. */
  readonly _autoPipelines: ReadonlyMap<string, unknown>;
}

export interface Pipeline {
  readonly redis: Client;
  readonly isCluster: boolean;
  readonly _queue: readonly Command[];
  /** Settle what `exec` returns. */
  resolve(replies: unknown): unknown;
  reject(error: unknown): unknown;
}

export interface Command {
  readonly name: string;
  readonly args: readonly Argument[];
  /** Queued by a pipeline between its MULTI and its EXEC. */
  readonly inTransaction: boolean;
  /** True for the ASKING that a pipeline puts in before it is sent again. */
  readonly ignore?: boolean;
  resolve(reply: unknown): unknown;
  reject(error: unknown): unknown;
}
