import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  countMysqlRows,
  type DatabaseOperation,
  databaseUsed,
  endOperation,
  failMysql,
  isSuppressed,
  type PoolCall,
  siteWanted,
  startDatabaseOperation,
  takeSite,
} from "@telltale/core";
import { type ConnectionState, stateOf } from "./connection-state.js";
import type { Command, Connection } from "./driver.js";
import { EarlyQuery, failTimeouts, QueryCall, setCall } from "./query-call.js";
import type { MysqlPoolLink } from "./pool-call.js";
import { isKnown, targetOf } from "./target.js";

/**
 * Begins the operation of a command that is added to a connection. `call` is the pool's call that waited for this connection; a call site
 * is looked for below the function `below`.
 */
export function beginQuery(
  connection: Connection,
  command: Command,
  text: unknown,
  call: PoolCall | undefined,
  link: MysqlPoolLink,
  below: (...args: never[]) => unknown,
): QueryCall | undefined {
  const state = stateOf(connection);
  const parent = call?.context ?? context.active();
  if (typeof text !== "string" || isSuppressed(parent) || !Object.isExtensible(command)) {
    if (state.loan !== undefined) state.loan.isUnseen = true;
    return undefined;
  }
  const begun = isKnown(connection)
    ? new QueryCall(startNow(connection, state, text, command.values, parent, call, link, below), undefined)
    : new QueryCall(undefined, new EarlyQuery(text, command.values, parent));
  setCall(command, begun);
  if (command.timeout) failTimeouts(command, begun);
  return begun;
}

function startNow(
  connection: Connection,
  state: ConnectionState,
  text: string,
  parameters: unknown,
  parent: Context,
  call: PoolCall | undefined,
  link: MysqlPoolLink,
  below: (...args: never[]) => unknown,
): DatabaseOperation {
  const template = targetOf(connection, state, link).templateOf(text);
  const operation =
    call === undefined
      ? startDatabaseOperation(template, text, parameters, parent)
      : call.start(template, text, parameters, state.takenMs);
  if (call === undefined && siteWanted(template)) operation.takenSite = takeSite(template, below);
  state.loan?.runs(operation);
  return operation;
}

/** The operation of a query that runs; one that waited for its connection to open begins now, and has waited until now. */
export function runningOf(call: QueryCall, connection: Connection, link: MysqlPoolLink): DatabaseOperation | undefined {
  const { early } = call;
  if (early !== undefined) {
    call.early = undefined;
    const { text, parameters, startMs } = early;
    const template = targetOf(connection, stateOf(connection), link).templateOf(text);
    const waitMs = performance.now() - startMs;
    call.operation = startDatabaseOperation(template, text, parameters, early.context, startMs, waitMs);
    call.operation.explainer = call.explainer;
  }
  return call.operation?.endMs === 0 ? call.operation : undefined;
}

/** A query that could not be made into a command. */
export function failUnmade(
  connection: Connection,
  text: string,
  call: PoolCall | undefined,
  link: MysqlPoolLink,
  error: unknown,
): void {
  const state = stateOf(connection);
  const template = targetOf(connection, state, link).templateOf(text);
  const operation =
    call === undefined
      ? startDatabaseOperation(template, text, undefined)
      : call.start(template, text, undefined, state.takenMs);
  failMysql(operation, error);
}

/** A query has all its answers, or none: its values could not be sent. */
export function endQuery(command: Command, operation: DatabaseOperation): void {
  const { _rows: results = [], _localStreamError: failure, _connection: connection } = command;
  if (failure !== undefined && failure !== null) failMysql(operation, failure);
  else if (results.length === 0) failMysql(operation, new Error("the query could not be sent"));
  else {
    if (operation.template.operationName === "USE" && connection) {
      const state = stateOf(connection);
      state.database = databaseUsed(operation.text) ?? state.database;
      state.target = undefined;
    }
    // Those that went to listeners and were not kept.
    const { rows: streamed = 0 } = operation;
    operation.rows = countMysqlRows(results) + streamed;
    endOperation(operation);
  }
}
