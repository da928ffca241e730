// The parts of the driver that are used, as types only; they are the same from 6.0 on unless noted.

export type Command = Readonly<Record<string, unknown>>;

export type Callback = (this: unknown, error?: unknown, result?: unknown) => unknown;

export interface Connection {
  /** Returns a promise; in the first releases of 6 the last argument is a callback, in newer ones a class. */
  command(namespace: { readonly db: string }, command: Command, options?: unknown, last?: unknown): unknown;
}

export interface ConnectionPool {
  readonly address: string;
  readonly closed: boolean;
  readonly options: { readonly maxPoolSize: number; readonly minPoolSize: number };
  readonly availableConnectionCount: number;
  readonly pendingConnectionCount: number;
  readonly currentCheckedOutCount: number;
  readonly waitQueueSize: number;
  /** Takes options and returns a promise; in the first releases of 6 it takes a callback. */
  checkOut(given: unknown): unknown;
  checkIn(connection: Connection): unknown;
  /** Tells of an event of the pool (CMAP). */
  emitAndLog(event: string, ...values: unknown[]): unknown;
}
