import {
  createTargets,
  type DatabasePlace,
  type DatabaseTarget,
  type DatabaseTemplate,
  type QueryShape,
} from "@telltale/core";
import type { ConnectionState } from "./connection-state.js";
import type { Connection, ConnectionConfig } from "./driver.js";
import type { PoolLink } from "./pool-call.js";

export type System = "mysql" | "mariadb";

const findPlace = createTargets("mysql", sessionOf);

/** The target of connections with these options; one for all connections of a pool. */
export function findTarget(
  system: System,
  config: ConnectionConfig,
  database: string | undefined,
  poolName: string | undefined,
): DatabaseTarget {
  return findPlace(placeOf(system, config, database, poolName));
}

export function placeOf(
  system: System,
  { host, port, socketPath }: ConnectionConfig,
  database: string | undefined,
  poolName: string | undefined,
): DatabasePlace {
  return {
    system,
    namespace: database === "" ? undefined : database,
    serverAddress: socketPath ?? host,
    serverPort: socketPath === undefined ? port : undefined,
    poolName,
  };
}

/** The target of a connection in its present database. What fails before the server has said which it is, was for a MySQL. */
export function targetOf(connection: Connection, state: ConnectionState, link: PoolLink): DatabaseTarget {
  if (state.target !== undefined) return state.target;
  const poolName = link.nameOf(connection) ?? state.lender?.pool.name;
  const target = findTarget(systemOf(connection), connection.config, state.database, poolName);
  if (isKnown(connection)) state.target = target;
  return target;
}

/** Whether the server has said which it is. */
export function isKnown(connection: Connection): boolean {
  return connection._handshakePacket !== null;
}

/** As the server's greeting has it. */
export function systemOf({ _handshakePacket: greeting }: Connection): System {
  return /mariadb/i.test(String(greeting?.serverVersion)) ? "mariadb" : "mysql";
}

/** Locks of a session are lost with its connection: who has them holds it on purpose. */
function sessionOf({ operationName, queryText }: QueryShape): DatabaseTemplate["session"] {
  if (operationName === "LOCK") return "kept";
  if (operationName === "UNLOCK") return "freed";
  const lock = /\b(get|release|release_all)_locks?\s*\(/i.exec(queryText)?.[1];
  if (lock === undefined) return undefined;
  return lock.toLowerCase() === "get" ? "kept" : "freed";
}
