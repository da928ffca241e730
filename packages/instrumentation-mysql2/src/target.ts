import { type DatabaseTarget, findMysqlTarget, type MysqlSystem, mysqlSystemOf } from "@telltale/core";
import type { ConnectionState } from "./connection-state.js";
import type { Connection } from "./driver.js";
import type { MysqlPoolLink } from "./pool-call.js";

/** The target of a connection in its present database. What fails before the server has said which it is, was for a MySQL. */
export function targetOf(connection: Connection, state: ConnectionState, link: MysqlPoolLink): DatabaseTarget {
  if (state.target !== undefined) return state.target;
  const poolName = link.nameOf(connection) ?? state.lender?.pool.name;
  const target = findMysqlTarget("mysql2", systemOf(connection), connection.config, state.database, poolName);
  if (isKnown(connection)) state.target = target;
  return target;
}

/** Whether the server has said which it is. */
export function isKnown(connection: Connection): boolean {
  return connection._handshakePacket !== null;
}

export function systemOf({ _handshakePacket: greeting }: Connection): MysqlSystem {
  return mysqlSystemOf(greeting?.serverVersion);
}
