import type { EventEmitter } from "node:events";

// The parts of pg and pg-pool that are used, as types only; both are unchanged from pg 8.0 on unless noted.

/** A query on the wire: pg's own Query, or anything with `submit`, such as pg-cursor. */
export interface Query {
  readonly text?: unknown;
  readonly values?: unknown;
  /** The result, or one per statement. */
  readonly _results?: Result | readonly Result[];
  readonly _result?: Result;
  submit(connection: unknown): unknown;
  handleReadyForQuery(connection: unknown): unknown;
  handleError(error: unknown, connection: unknown): unknown;
}

export interface Result {
  readonly rowCount?: number | null;
}

export interface Client {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly _queryQueue?: readonly Query[];
  /** Its name in older releases of pg 8. */
  readonly queryQueue?: readonly Query[];
  query(config: unknown, values?: unknown, callback?: unknown): unknown;
  _pulseQueryQueue(): void;
}

export interface Pool extends EventEmitter {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly ended: boolean;
  readonly options: { readonly max?: number; readonly min?: number };
  readonly _clients: readonly Client[];
  readonly Promise: PromiseConstructor;
  connect(callback?: ConnectCallback): unknown;
  query(text: unknown, values?: unknown, callback?: unknown): unknown;
  newClient(waiter: unknown): void;
  _acquireClient(client: Client, waiter: unknown, idleListener: unknown, isNew: boolean): unknown;
  _release(client: Client, idleListener: unknown, error: unknown): unknown;
}

export type ConnectCallback = (error: unknown, client?: Client, release?: (error?: unknown) => void) => unknown;
