import type { EventEmitter } from "node:events";

// The parts of the driver that are used, as types only; they are unchanged from 3.0 on unless noted.

/** What a call came with; one object from the pool to the command. */
export interface CallParameters {
  readonly sql?: unknown;
  readonly values?: unknown;
}

/** What runs on a connection. */
export interface Command extends EventEmitter {
  readonly cmdParam?: CallParameters | null;
  readonly sql?: unknown;
  readonly initialValues?: unknown;
  /** Of what is prepared, and of the preparation itself. */
  readonly binary?: boolean;
  /** Of what is prepared only. */
  readonly prepare?: unknown;
  /** Of a batch that is one message only. */
  readonly bulkPacketNo?: number;
  /** Of a stream only. */
  readonly inStream?: unknown;
  /** For each statement its rows, or what it has changed. */
  readonly _rows?: readonly unknown[];
  handleNewRows?: (this: unknown, row: unknown) => unknown;
  successEnd(value: unknown): unknown;
  throwError(error: unknown, info: unknown): unknown;
  throwUnexpectedError(...details: unknown[]): unknown;
}

export interface Connection extends EventEmitter {
  readonly opts: {
    readonly host?: string;
    readonly port?: number;
    readonly socketPath?: string;
    readonly database?: string;
  };
  readonly info: {
    readonly serverVersion?: { readonly raw?: unknown } | null;
    /** The one that it is in now. */
    readonly database?: string;
  };
  readonly status: number;
  /** Returns a promise. */
  connect(): unknown;
  addCommandQueue(command: Command): unknown;
  addCommandEnable(command: Command): unknown;
  addCommandEnablePipeline(command: Command): unknown;
  addCommandDisabled(command: Command): unknown;
  /** Of one that is lost. */
  clear(): unknown;
}

export type ConnectionCallback = (error: unknown, connection?: Connection) => unknown;

/** What is below the pools that apps see. */
export interface Pool extends EventEmitter {
  readonly opts: {
    readonly connectionLimit: number;
    readonly minimumIdle: number;
    readonly connOptions: Connection["opts"];
  };
  readonly closed: boolean;
  activeConnections(): number;
  idleConnections(): number;
  taskQueueSize(): number;
  /** Calls back since 3.5, and gives a promise before. */
  getConnection(parameters: CallParameters | ConnectionCallback, callback?: ConnectionCallback): unknown;
  release(connection: Connection): unknown;
  _destroy(connection: Connection): unknown;
}

export interface Driver {
  createConnection(options: object): unknown;
  createPool(options: object): unknown;
}
