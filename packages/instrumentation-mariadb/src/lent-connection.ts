import { type DriverConnection, placeOfMysql } from "@telltale/core";
import { stateOf, systemOf } from "./connection-state.js";
import type { Connection } from "./driver.js";

/** Apps have a connection within an object that shows its `info`, which is each connection's own, and keeps the rest private. */
const connections = new WeakMap<object, Connection>();

/** To be told when it begins to connect, and when it has: a redirected one takes over another's `info`. */
export function noteInfo(connection: Connection): void {
  connections.set(connection.info, connection);
}

/** Pools of other libraries lend connections, too. */
export function findConnection(resource: object): DriverConnection | undefined {
  // What others lend may have getters of its own: this asks the driver's alone.
  const prototype = Object.getPrototypeOf(resource) as object | null;
  if (prototype === null || !METHODS.every((method) => Object.hasOwn(prototype, method))) return undefined;
  const shown: unknown = Object.getOwnPropertyDescriptor(prototype, "info")?.get?.call(resource);
  const connection = connections.get(shown as object);
  if (connection === undefined) return undefined;
  const state = stateOf(connection);
  const { opts, info } = connection;
  return {
    // The oldest releases know the database from the server alone, once it is open.
    place: placeOfMysql(systemOf(info), opts, info.database ?? opts.database, undefined),
    isPooled: state.reporter !== undefined && !state.isLent,
    lend: (reporter, loan) => state.lent(reporter, loan),
  };
}

const METHODS = ["changeUser", "beginTransaction"];
