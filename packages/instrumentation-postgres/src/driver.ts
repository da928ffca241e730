// The parts of postgres.js that are used, as types only; they are unchanged from 3.0 on unless noted.

/** A query, or a fragment of one: it runs when it is first awaited, executed or asked for its rows. */
export interface Query {
  /** Written as a tagged template. */
  readonly tagged: boolean;
  strings: readonly string[];
  args: readonly unknown[];
  /** Hands it to its pool, or to the connection of its transaction. */
  readonly handler: Handler;
  /** One function for all queries of a pool; none on what the driver asks for itself. */
  readonly canceller: unknown;
  readonly options: { onexecute?: ((connection: Connection) => unknown) | undefined };
  /** Of the connection that it was sent on; null until then. One object for each. */
  state: object | null;
  readonly cancelled: unknown;
  readonly executed: boolean;
  /** What is sent, with its values apart; they are known one after the other, just before. */
  readonly string?: string;
  readonly parameters?: readonly unknown[];
  /** Asks which columns there would be, and runs nothing. */
  readonly onlyDescribe?: boolean;
  cursorFn?: Callback;
  forEachFn?: Callback;
  /** The stack of a tagged template, as text. */
  readonly origin: string;
  resolve: (value: unknown) => unknown;
  reject: (error: unknown) => unknown;
  handle(): unknown;
}

export type Handler = (query: Query) => unknown;
export type Callback = (this: unknown, rows: unknown, result?: unknown) => unknown;

/** One connection of a pool, opened when it is needed, and again after it was closed. */
export interface Connection {
  /** Those of its pool that are in the same state: open, busy, closed … */
  readonly queue: object;
  /** Started with each return to the open ones, stopped with each step to others. */
  readonly idleTimer: { start(): void; cancel(): void };
  /** What comes next on it; null where it is in no transaction, and not reserved. */
  readonly reserved?: unknown;
  end(): unknown;
}

export interface Options {
  readonly host: readonly string[];
  readonly port: readonly number[];
  /** Of a socket. */
  readonly path?: string | false | undefined;
  readonly database: string;
  readonly max: number;
}

/** What `postgres()` gives. */
export interface Sql {
  (first: object): object;
  unsafe(text: string): Query;
}

export type Driver = (options: object) => Sql;
