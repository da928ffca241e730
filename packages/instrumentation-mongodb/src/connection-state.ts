import { Attached, type Loan, type PoolReporter } from "@telltale/core";
import type { Connection } from "./driver.js";

/** What is known of a connection that a pool has lent; others, which look after servers and log in, have no state. */
export class ConnectionState {
  reporter: PoolReporter;
  /** Its server's, as the app has named it: the connection's own is what that name led to. */
  readonly address: string;
  loan: Loan;
  /** When it was asked for by whom has it; 0 once the first command has taken note of that. */
  askedMs = 0;
  /** When it was handed out; 0 while it is idle. */
  takenMs = 0;

  constructor(reporter: PoolReporter, address: string) {
    this.reporter = reporter;
    this.address = address;
    this.loan = reporter.addConnection();
  }
}

class KnownConnection extends Attached {
  readonly #state: ConnectionState;

  constructor(connection: object, state: ConnectionState) {
    super(connection);
    this.#state = state;
  }

  static get(connection: object): ConnectionState | undefined {
    return #state in connection ? connection.#state : undefined;
  }
}

export function stateOf(connection: Connection): ConnectionState | undefined {
  return KnownConnection.get(connection);
}

/** The state of a connection of a pool, made where it is lent for the first time. */
export function makeState(connection: Connection, reporter: PoolReporter, address: string): ConnectionState {
  const known = stateOf(connection);
  if (known !== undefined) {
    if (known.reporter !== reporter) {
      known.reporter = reporter;
      known.loan = reporter.addConnection();
    }
    return known;
  }
  const state = new ConnectionState(reporter, address);
  // oxlint-disable-next-line no-new
  new KnownConnection(connection, state);
  return state;
}
