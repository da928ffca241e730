import type { EventEmitter } from "node:events";

// The parts of mysql2 that are used, as types only; they are unchanged from 3.0 on unless noted.

/** What runs on a connection, one after the other. */
export interface Command extends EventEmitter {
  /** Of a query, with its values already in it; of an `execute`. */
  readonly sql?: unknown;
  readonly values?: unknown;
  readonly timeout?: unknown;
  /** Of a query only. */
  readonly _queryOptions?: object;
  /** Of an `execute` only; that of a prepared statement has no text of its own. */
  readonly _executeOptions?: object;
  readonly statement?: { readonly query?: unknown };
  /** Of a preparation only: those of the `execute` that it is made for. */
  readonly options?: object;
  readonly parameterDefinitions?: unknown;
  /** Of a change of user only. */
  readonly currentConfig?: unknown;
  readonly database?: unknown;
  /** A result or list of rows per statement; an `execute` or query has it. */
  readonly _rows?: readonly unknown[];
  readonly _localStreamError?: unknown;
  readonly _connection?: Connection | null;
  /** What reads the next packet … */
  readonly next?: unknown;
  /** … and what that is while rows come. */
  readonly row?: unknown;
  onResult?: ResultCallback | null | undefined;
  /** True when it has ended. At first there is no packet: it is sent. */
  execute(packet: Packet | undefined, connection: Connection): boolean;
}

export type ResultCallback = (this: unknown, error: unknown, rows?: unknown, fields?: unknown) => unknown;

export interface Packet {
  /** What is read next. */
  offset: number;
  isError(): boolean;
  asError(encoding: unknown): unknown;
}

/** Denque in older releases, a ring of its own since. */
export interface Queue<Entry> {
  readonly length: number;
  get(index: number): Entry | undefined;
}

export interface ConnectionConfig {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  /** Some releases share one configuration among the connections of a pool, and change it when one of them changes its user. */
  readonly database?: string;
  /** Of the app's: one that is open already, or what opens one. */
  readonly stream?: unknown;
  readonly queryFormat?: unknown;
  readonly clientFlags?: number;
  readonly connectAttributes?: object;
}

export interface Connection extends EventEmitter {
  readonly config: ConnectionConfig;
  readonly clientEncoding: unknown;
  /** Null until the server has said which it is. */
  readonly _handshakePacket: { readonly serverVersion?: unknown } | null;
  readonly _fatalError: unknown;
  readonly _command: Command | null | undefined;
  readonly _commands: Queue<Command>;
  /** Of a pool's connection, until it is removed from there. */
  readonly _pool?: Pool | null;
  query(sql: unknown, values?: unknown, callback?: unknown): unknown;
  execute(sql: unknown, values?: unknown, callback?: unknown): unknown;
  format(sql: unknown, values?: unknown, namedPlaceholders?: unknown): unknown;
  addCommand(command: Command): unknown;
  /** What `addCommand` is once the connection has been closed. */
  _addCommandClosedState(command: Command): unknown;
  _notifyError(error: unknown): unknown;
}

export type ConnectionCallback = (error: unknown, connection?: Connection) => unknown;

/** What gives connections away, and runs single queries on them: a pool, and the part of a cluster that a pattern names. */
export interface ConnectionSource {
  getConnection(callback: ConnectionCallback): unknown;
  query(sql: unknown, values?: unknown, callback?: unknown): unknown;
  execute(sql: unknown, values?: unknown, callback?: unknown): unknown;
}

export interface Pool extends ConnectionSource, EventEmitter {
  readonly config: { readonly connectionConfig: ConnectionConfig; readonly connectionLimit: number };
  readonly _allConnections: Queue<Connection>;
  readonly _freeConnections: Queue<Connection>;
  readonly _connectionQueue: Queue<unknown>;
  readonly _closed: boolean;
  releaseConnection(connection: Connection): unknown;
}

/** The main module. */
export interface Driver {
  readonly Connection: {
    new (options: object): unknown;
    readonly prototype: Connection;
    createQuery(sql: string, values: unknown, callback: unknown, config: object): Command;
  };
  readonly Pool: { readonly prototype: Pool };
  readonly PoolCluster: new (config: object) => { of(pattern: string): ConnectionSource };
}
