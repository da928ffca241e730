import {
  Attached,
  createTargets,
  type DatabasePlace,
  type DatabaseTarget,
  type Loan,
  type PoolReporter,
} from "@telltale/core";
import type { TediousConnection } from "./driver.js";
import { PreparedTexts } from "./request-text.js";

export const SYSTEM = "microsoft.sql_server";

const findPlace = createTargets("mssql", () => undefined);

/** What is known of a connection. */
export class ConnectionState {
  /** The database that it is in now, as the server says. */
  database: string | undefined;
  /** Where its requests go; found with the first one, and anew where the database changes. */
  target: DatabaseTarget | undefined = undefined;
  /** Of the pool that opened it. */
  reporter: PoolReporter | undefined = undefined;
  /** That is a pool of another library than mssql, such as knex's. */
  isLent = false;
  loan: Loan | undefined = undefined;
  /** When it was last handed out; 0 while it is idle. */
  takenMs = 0;
  readonly prepared = new PreparedTexts();

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

  static stateOf(connection: TediousConnection): ConnectionState {
    if (#state in connection) return connection.#state;
    const state = new ConnectionState(connection.config.options.database);
    // oxlint-disable-next-line no-new
    new KnownConnection(connection, state);
    return state;
  }
}

/** The state of a connection, kept on it. */
export function stateOf(connection: TediousConnection): ConnectionState {
  return KnownConnection.stateOf(connection);
}

export function targetOf(connection: TediousConnection, state: ConnectionState): DatabaseTarget {
  return (state.target ??= findPlace({ ...placeOf(connection, state), library: "tedious" }));
}

/** The namespace of a named instance is `instance|database`. */
export function placeOf(connection: TediousConnection, state: ConnectionState): DatabasePlace {
  const { server, options } = connection.config;
  const { instanceName, port } = options;
  const { database } = state;
  return {
    system: SYSTEM,
    namespace: instanceName === undefined || database === undefined ? database : `${instanceName}|${database}`,
    serverAddress: server,
    serverPort: instanceName === undefined ? port : undefined,
    poolName: state.reporter?.pool.name,
  };
}
