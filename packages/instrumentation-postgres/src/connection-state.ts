import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import { attempt, Attached, type Guard, type Loan, replaceMethod } from "@telltale/core";
import type { Connection, Options } from "./driver.js";
import type { PoolState } from "./pool-state.js";

/** What is known of one connection of a pool, which the driver opens, closes, and opens again. */
export class ConnectionState {
  /** Known with the first query that the driver tells its connection with. */
  connection: Connection | undefined = undefined;
  options: Options | undefined = undefined;
  pool: PoolState | undefined = undefined;
  /** Who has it. */
  loan: Loan | undefined = undefined;
  /** When it was taken; 0 while it is idle or closed. */
  takenMs = 0;
  /** Queries sent that have not ended. */
  running = 0;
  /** Undoes what listens to it. */
  undo: readonly (() => void)[] = [];
  /** Open, and nobody has it. */
  isIdle = false;
  /** The queue of those that are idle, which it is in as long as it is open. */
  private idleQueue: object | undefined = undefined;

  /** It runs something, or waits for what a transaction runs next. */
  isUsed(): boolean {
    return this.running > 0 || this.isReserved();
  }

  isReserved(): boolean {
    return Boolean(this.connection?.reserved);
  }

  take(caller: Context, nowMs: number): void {
    this.giveBack(nowMs);
    this.takenMs = nowMs;
    if (this.loan !== undefined) this.pool?.reporter?.taken(this.loan, caller, nowMs);
  }

  giveBack(nowMs: number): void {
    if (this.takenMs === 0) return;
    this.pool?.reporter?.timed("use", nowMs - this.takenMs);
    this.takenMs = 0;
    if (this.loan !== undefined) this.pool?.reporter?.returned(this.loan, nowMs);
  }

  /** The driver has put it among the idle ones. */
  becomesIdle(queue: object): void {
    this.isIdle = true;
    this.idleQueue = queue;
    this.giveBack(performance.now());
  }

  /**
   * A query on it has ended. The driver never tells a connection on which each query is described first; its queries are then all that is
   * known of it.
   */
  hasRun(isOpen: boolean): void {
    if (this.connection !== undefined || this.running > 0) return;
    this.isIdle = isOpen;
    this.giveBack(performance.now());
  }

  /** The driver has put it elsewhere, or it was closed. */
  leaves(queue: object): void {
    const wasIdle = this.isIdle;
    this.isIdle = false;
    if (this.running > 0 || this.isReserved() || (wasIdle && queue === this.idleQueue)) return;
    // No query took it: somebody has reserved it, which is known in a moment, or it ends.
    const caller = context.active();
    const nowMs = performance.now();
    queueMicrotask(() => {
      if (this.running > 0) return;
      if (this.isReserved()) this.take(caller, nowMs);
      else this.giveBack(nowMs);
    });
  }
}

class KnownConnection extends Attached {
  readonly #state: ConnectionState;

  constructor(key: object, state: ConnectionState) {
    super(key);
    this.#state = state;
  }

  static stateOf(key: object): ConnectionState {
    if (#state in key) return key.#state;
    const state = new ConnectionState();
    // oxlint-disable-next-line no-new
    new KnownConnection(key, state);
    return state;
  }
}

/** The state of a connection, kept on what its queries have as their `state`. */
export function stateOf(key: object): ConnectionState {
  return KnownConnection.stateOf(key);
}

/** Listens to where the driver puts a connection, which it tells its timer. */
export function followConnection(state: ConnectionState, connection: Connection, guard: Guard): void {
  state.connection = connection;
  type Step = () => void;
  state.undo = [
    () => void (state.connection = undefined),
    replaceMethod<Step>(
      connection.idleTimer,
      "start",
      (find) =>
        function start(this: unknown) {
          attempt(guard, () => state.becomesIdle(connection.queue));
          return Reflect.apply(find(), this, arguments);
        },
    ),
    replaceMethod<Step>(
      connection.idleTimer,
      "cancel",
      (find) =>
        function cancel(this: unknown) {
          attempt(guard, () => state.leaves(connection.queue));
          return Reflect.apply(find(), this, arguments);
        },
    ),
    replaceMethod<Step>(
      connection,
      "end",
      (find) =>
        function end(this: unknown) {
          attempt(guard, () => state.pool?.ends());
          return Reflect.apply(find(), this, arguments);
        },
    ),
  ];
}
