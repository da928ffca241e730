// What is used of node-redis, as majors 4 to 6 have it unless said otherwise.

/** A `RedisClient`; what `createClient` gives has it as prototype, with `_self` leading to it (majors 5 and 6). */
export interface Client {
  readonly _self?: Client;
  readonly isOpen: boolean;
  /** From 4.3. */
  readonly isReady?: boolean;
  /** From 4.6. It asks the client's queue. */
  readonly isPubSubActive?: boolean;
  readonly options?: ClientOptions | undefined;
}

export interface ClientOptions {
  readonly socket?: { readonly host?: string; readonly port?: number; readonly path?: string };
  readonly database?: number;
  readonly disableOfflineQueue?: boolean;
  readonly pingInterval?: number;
}

/** An argument of a command, its name included. */
export type CommandArguments = readonly (string | Buffer)[];

export interface SendOptions {
  /** Commands of one chain (MULTI, pipeline, what sets a connection up) are sent one after the other. */
  readonly chainId?: symbol;
  readonly asap?: boolean;
  readonly abortSignal?: AbortSignal;
  /** The same in major 4. */
  readonly signal?: AbortSignal;
}

/** The commands of one client that wait to be written. */
export type Queue = object;

/** A command in the queue. */
export interface QueuedCommand {
  readonly args: CommandArguments;
  readonly chainId?: symbol | undefined;
  resolve(reply: unknown): unknown;
  reject(error: unknown): unknown;
}

/** A `RedisClientPool`, majors 5 and 6. */
export interface Pool {
  readonly _self?: Pool;
  readonly isOpen: boolean;
  readonly idleClients: number;
  readonly clientsInUse: number;
  readonly totalClients: number;
  readonly tasksQueueLength: number;
}

export interface PoolOptions {
  readonly maximum?: number;
  readonly acquireTimeout?: number;
}

export type Task = (client: Client) => unknown;

/** A node of one of its lists. */
export interface ListNode {
  readonly value?: unknown;
}

/** A parser has what a command is made of. */
export interface CommandParser {
  readonly redisArgs: CommandArguments;
}
