import {
  type DriverConnection,
  failedOn,
  failMysql,
  type Guard,
  hasListeners,
  knowConnections,
  placeOfMysql,
  type PoolCall,
  replaceMethod,
  undoAll,
} from "@telltale/core";
import { stateOf } from "./connection-state.js";
import type { Command, Connection } from "./driver.js";
import type { Explainers, TextForm } from "./explain.js";
import { beginQuery, failUnmade, runningOf } from "./queries.js";
import { callBackIn, callOf, type QueryCall, setCall } from "./query-call.js";
import { keepsShape, textOf } from "./query-text.js";
import type { MysqlPoolLink } from "./pool-call.js";
import { systemOf } from "./target.js";

/**
 * Patches the connection: one operation per query, whatever form the call has; all become commands that are added to a connection. Promises
 * and callbacks are left as they are. Returns what undoes it.
 */
export function patchConnection(
  prototype: Connection,
  link: MysqlPoolLink,
  guard: Guard,
  makeExplainers: ((connection: Connection) => Explainers) | undefined,
): () => void {
  const { query, execute, format, addCommand, _addCommandClosedState, _notifyError } = prototype;
  /** False once undone: somebody may have wrapped ours meanwhile, and still call it. */
  let active = true;
  /** Queries that were added so far. */
  let added = 0;
  /** Of the `query` call that is on the stack: the pool's call that it is for, its text as written, and with its values. */
  let isSending = false;
  let sending: PoolCall | undefined;
  let written: string | undefined;
  let formatted: unknown;
  /** Of an `execute`, which is added just after it. */
  let preparation: Command | undefined;

  function patchedQuery(this: Connection, sql: unknown, values?: unknown, callback?: unknown): unknown {
    return send(query, this, sql, values, callback);
  }

  function patchedExecute(this: Connection, sql: unknown, values?: unknown, callback?: unknown): unknown {
    return send(execute, this, sql, values, callback);
  }

  function send(
    method: Connection["query"],
    connection: Connection,
    sql: unknown,
    values: unknown,
    callback: unknown,
  ): unknown {
    const call = link.handedOver;
    link.handedOver = undefined;
    if (!active || !guard.on || !hasListeners()) return method.call(connection, sql, values, callback);
    const before = added;
    isSending = true;
    sending = call;
    try {
      return method.call(connection, sql, values, callback);
    } catch (error) {
      if (added === before) refuse(connection, sql, call, error);
      throw error;
    } finally {
      isSending = false;
      sending = undefined;
      written = undefined;
      formatted = undefined;
    }
  }

  /** The driver did not like the values. */
  function refuse(connection: Connection, sql: unknown, call: PoolCall | undefined, error: unknown): void {
    try {
      const text = textOf(sql);
      if (text !== undefined) failUnmade(connection, text, call, link, error);
    } catch (failure) {
      failedOn(guard, prototype, connection, failure);
    }
  }

  /** Puts the values into the text. It is the app's own, too. */
  function patchedFormat(this: Connection, sql: unknown, values?: unknown, namedPlaceholders?: unknown): unknown {
    const text = format.call(this, sql, values, namedPlaceholders);
    if (isSending && keepsShape(sql, values)) {
      written = sql;
      formatted = text;
    }
    return text;
  }

  function patchedAdd(this: Connection, command: Command): unknown {
    hear(this, command, patchedAdd);
    return addCommand.call(this, command);
  }

  function patchedClosedAdd(this: Connection, command: Command): unknown {
    hear(this, command, patchedClosedAdd);
    try {
      fail(this, command, new Error("the connection is closed"));
    } catch (error) {
      guard.failed(error);
    }
    return _addCommandClosedState.call(this, command);
  }

  function hear(connection: Connection, command: Command, below: (...args: never[]) => unknown): void {
    if (!active || !guard.on) return;
    try {
      if (command._queryOptions !== undefined) {
        const isWritten = formatted === command.sql;
        const text = isWritten ? written : command.sql;
        begin(connection, command, text, isWritten ? "written" : "sent", below);
      } else if (command._executeOptions !== undefined) {
        const call = begin(connection, command, command.sql ?? command.statement?.query, "prepared", below);
        if (call !== undefined && preparation?.options === command._executeOptions) setCall(preparation, call);
      } else if (command.currentConfig !== undefined) {
        // What is added after it runs in its database; where it fails the server closes the connection.
        const state = stateOf(connection);
        state.database = typeof command.database === "string" ? command.database : undefined;
        state.target = undefined;
      }
      preparation = command.parameterDefinitions === undefined ? undefined : command;
    } catch (error) {
      guard.failed(error);
    }
  }

  function begin(
    connection: Connection,
    command: Command,
    text: unknown,
    form: TextForm,
    below: (...args: never[]) => unknown,
  ): QueryCall | undefined {
    added += 1;
    const call = sending;
    sending = undefined;
    const begun = hasListeners() ? beginQuery(connection, command, text, call, link, below) : undefined;
    if (begun !== undefined && makeExplainers !== undefined) {
      const state = stateOf(connection);
      begun.explainer = (state.explainers ??= makeExplainers(connection))[form];
      if (begun.operation !== undefined) begun.operation.explainer = begun.explainer;
    }
    return begun;
  }

  /** The connection is lost, and with it what runs there and waits. */
  function patchedNotify(this: Connection, error: unknown): unknown {
    if (!this._fatalError) {
      try {
        fail(this, this._command, error);
        for (let at = 0; at < this._commands.length; at += 1) fail(this, this._commands.get(at), error);
      } catch (failure) {
        guard.failed(failure);
      }
    }
    return _notifyError.call(this, error);
  }

  function fail(connection: Connection, command: Command | null | undefined, error: unknown): void {
    const call = command ? callOf(command) : undefined;
    if (call === undefined || !command) return;
    const operation = runningOf(call, connection, link);
    if (operation !== undefined) failMysql(operation, error);
    if (call.operation !== undefined) callBackIn(call.operation.context, command);
  }

  /** Pools of other libraries lend connections, too: as they are, or as promises have them. */
  function findConnection(resource: object): DriverConnection | undefined {
    // What others lend may have getters of its own.
    const inner: unknown = Object.getOwnPropertyDescriptor(resource, "connection")?.value;
    const connection = [resource, inner].find((one) => Object.prototype.isPrototypeOf.call(prototype, one as object));
    if (connection === undefined) return undefined;
    return describeConnection(connection as Connection);
  }

  const undo = [
    knowConnections(findConnection),
    replaceMethod(prototype, "query", () => patchedQuery),
    replaceMethod(prototype, "execute", () => patchedExecute),
    replaceMethod(prototype, "format", () => patchedFormat),
    replaceMethod(prototype, "addCommand", () => patchedAdd),
    replaceMethod(prototype, "_addCommandClosedState", () => patchedClosedAdd),
    replaceMethod(prototype, "_notifyError", () => patchedNotify),
  ];
  return () => {
    active = false;
    undoAll(undo);
  };
}

function describeConnection(connection: Connection): DriverConnection {
  const state = stateOf(connection);
  return {
    place: placeOfMysql(systemOf(connection), connection.config, state.database, undefined),
    isPooled: Boolean(connection._pool),
    lend(reporter, loan) {
      state.lender = reporter;
      state.loan = loan;
      state.target = undefined;
    },
  };
}
