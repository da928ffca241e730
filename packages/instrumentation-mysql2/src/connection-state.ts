import { Attached, type DatabaseTarget, type Loan, type PoolReporter } from "@telltale/core";
import type { Connection } from "./driver.js";
import type { Explainers } from "./explain.js";

/** What is known of a connection. */
export class ConnectionState {
  /** The database that it is in now. */
  database: string | undefined;
  /** Where its queries go; found with the first one, and anew where the database changes. */
  target: DatabaseTarget | undefined = undefined;
  /** When its pool began to open it, in ms of `performance.now()`; 0 where none did, and from when it was first handed out. */
  createdMs = 0;
  /** Of the pool that has handed it out. */
  reporter: PoolReporter | undefined = undefined;
  /** The pool of another library that lends it. */
  lender: PoolReporter | undefined = undefined;
  /** Who has it; undefined where no pool opened it. */
  loan: Loan | undefined = undefined;
  /** When it was last handed out; 0 while it is idle. */
  takenMs = 0;
  /** Made with its first query, where the app has asked for plans. */
  explainers: Explainers | undefined = undefined;

  constructor(database: string | undefined) {
    this.database = database;
  }
}

class KnownConnection extends Attached {
  readonly #state: ConnectionState;

  constructor(connection: object, state: ConnectionState) {
    super(connection);
    this.#state = state;
  }

  static stateOf(connection: Connection): ConnectionState {
    if (#state in connection) return connection.#state;
    const state = new ConnectionState(connection.config.database);
    // oxlint-disable-next-line no-new
    new KnownConnection(connection, state);
    return state;
  }
}

/** The state of a connection, kept on it. */
export function stateOf(connection: Connection): ConnectionState {
  return KnownConnection.stateOf(connection);
}
