import {
  Attached,
  type DatabaseTarget,
  findMysqlTarget,
  type Loan,
  type MysqlSystem,
  mysqlSystemOf,
  type PoolReporter,
} from "@telltale/core";
import type { EarlyCall } from "./calls.js";
import type { Connection } from "./driver.js";

/** What is known of a connection. */
export class ConnectionState {
  /** Where its queries go, in its present database. */
  private target: DatabaseTarget | undefined = undefined;
  private database: string | undefined = undefined;
  /** How long it took to open it, in ms; 0 once that was told. */
  openingMs = 0;
  /** Of the pool that has handed it out. */
  reporter: PoolReporter | undefined = undefined;
  /** That is a pool of another library, such as knex's. */
  isLent = false;
  /** Who has it; undefined where no pool opened it. */
  loan: Loan | undefined = undefined;
  /** When it was last handed out; 0 while it is idle. */
  takenMs = 0;
  /** What was prepared last, and is to be executed next. */
  prepared: EarlyCall | undefined = undefined;

  targetOf({ opts, info }: Connection): DatabaseTarget {
    if (this.target !== undefined && this.database === info.database) return this.target;
    this.database = info.database;
    this.target = findMysqlTarget("mariadb", systemOf(info), opts, info.database, this.reporter?.pool.name);
    return this.target;
  }

  lent(reporter: PoolReporter, loan: Loan): void {
    this.reporter = reporter;
    this.loan = loan;
    this.isLent = true;
    this.target = undefined;
  }

  taken(reporter: PoolReporter): void {
    if (this.reporter === reporter) return;
    this.reporter = reporter;
    this.target = undefined;
    this.loan = reporter.addConnection();
  }

  returned(nowMs: number): void {
    if (this.takenMs === 0) return;
    this.reporter?.timed("use", nowMs - this.takenMs);
    this.takenMs = 0;
    if (this.loan !== undefined) this.reporter?.returned(this.loan, nowMs);
  }
}

/** As the server's greeting has it; before that, what the driver is for. */
export function systemOf({ serverVersion }: Connection["info"]): MysqlSystem {
  return mysqlSystemOf(serverVersion?.raw ?? "mariadb");
}

class KnownConnection extends Attached {
  readonly #state: ConnectionState;

  constructor(connection: object, state: ConnectionState) {
    super(connection);
    this.#state = state;
  }

  static stateOf(connection: object): ConnectionState {
    if (#state in connection) return connection.#state;
    const state = new ConnectionState();
    // oxlint-disable-next-line no-new
    new KnownConnection(connection, state);
    return state;
  }
}

/** The state of a connection, kept on it. */
export function stateOf(connection: Connection): ConnectionState {
  return KnownConnection.stateOf(connection);
}
