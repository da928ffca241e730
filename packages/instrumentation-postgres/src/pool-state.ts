import { performance } from "node:perf_hooks";
import {
  Attached,
  type DatabaseTarget,
  findPostgresqlTarget,
  type PoolReporter,
  registerPool,
  undoAll,
} from "@telltale/core";
import type { ConnectionState } from "./connection-state.js";
import type { Handler, Options } from "./driver.js";

/** What is known of a pool, which is what one call of `postgres()` made. */
export class PoolState {
  /** Known with the first query that is sent. */
  options: Options | undefined = undefined;
  /** They were asked for, and may not be known. */
  wasAsked = false;
  reporter: PoolReporter | undefined = undefined;
  target: DatabaseTarget = NOWHERE;
  /** Of queries that are in no transaction. */
  handler: Handler | undefined = undefined;
  readonly connections = new Set<ConnectionState>();
  /** Queries that have been called, and not sent. */
  pending = 0;

  learn(options: Options | undefined): void {
    this.wasAsked = true;
    if (options === undefined || this.options !== undefined) return;
    this.options = options;
    this.register(options);
  }

  private register(options: Options): void {
    const { path, database } = options;
    const [host] = options.host;
    const [port] = options.port;
    const isSocket = typeof path === "string" && path !== "";
    const reference = new WeakRef(this);
    this.reporter = registerPool({
      name: `${isSocket ? path : `${host}:${port}`}/${database}`,
      system: "postgresql",
      read: () => reference.deref()?.read(),
    });
    const folder = isSocket ? path.replace(/\/\.s\.PGSQL\.\d+$/, "") : host;
    this.target = findPostgresqlTarget("postgres", folder, port, database, this.reporter.pool.name);
    for (const connection of this.connections) connection.loan ??= this.reporter.addConnection();
  }

  add(connection: ConnectionState): void {
    connection.pool = this;
    if (this.reporter === undefined && this.options !== undefined) this.register(this.options);
    connection.loan ??= this.reporter?.addConnection();
    this.connections.add(connection);
  }

  /** All connections that it may open are in use. */
  isExhausted(): boolean {
    if (this.options === undefined || this.connections.size < this.options.max) return false;
    for (const connection of this.connections) if (!connection.isUsed()) return false;
    return true;
  }

  /** The app ends it; should it be used again, it is known anew. */
  ends(): void {
    this.close();
    this.connections.clear();
  }

  close(): void {
    this.reporter?.close();
    this.reporter = undefined;
  }

  /** The instrumentation is disabled. */
  leave(): void {
    const undo = [...this.connections].flatMap((connection) => connection.undo);
    this.ends();
    undoAll(undo);
  }

  private read() {
    let used = 0;
    let idle = 0;
    const nowMs = performance.now();
    for (const connection of this.connections) {
      if (connection.isUsed()) used += 1;
      else if (connection.isIdle) idle += 1;
      // It was lost in a transaction.
      else connection.giveBack(nowMs);
    }
    return { used, idle, pending: this.pending, limit: this.options?.max };
  }
}

const NOWHERE = findPostgresqlTarget("postgres", undefined, undefined, undefined, undefined);

class KnownPool extends Attached {
  readonly #state: PoolState;

  constructor(key: object, state: PoolState) {
    super(key);
    this.#state = state;
  }

  static poolOf(key: object): PoolState {
    if (#state in key) return key.#state;
    const state = new PoolState();
    // oxlint-disable-next-line no-new
    new KnownPool(key, state);
    return state;
  }
}

/** The pool of a query, by what all queries of a pool have in common; undefined for what the driver asks for itself. */
export function poolOf(canceller: unknown): PoolState | undefined {
  return typeof canceller === "function" ? KnownPool.poolOf(canceller) : undefined;
}
