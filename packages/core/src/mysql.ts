import { createTargets, type DatabasePlace, type DatabaseTarget } from "./database-targets.js";
import { type DatabaseOperation, type DatabaseTemplate, endOperation, failOperation } from "./operation.js";
import type { QueryShape } from "./query/query-shape.js";
import { ServerFailure } from "./server-failure.js";

// What the drivers for MySQL and MariaDB have in common.

export type MysqlSystem = "mysql" | "mariadb";

const findPlace = createTargets("mysql", sessionOf);

/** Where a driver connects to. */
export interface MysqlAddress {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly socketPath?: string | undefined;
}

/** The target of connections to this address; one for all connections of a pool. */
export function findMysqlTarget(
  library: string,
  system: MysqlSystem,
  address: MysqlAddress,
  database: string | undefined,
  poolName: string | undefined,
): DatabaseTarget {
  return findPlace({ ...placeOfMysql(system, address, database, poolName), library });
}

export function placeOfMysql(
  system: MysqlSystem,
  { host, port, socketPath }: MysqlAddress,
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

/** `host:port/database`. */
export function mysqlPoolName({ host, port, socketPath }: MysqlAddress, database = ""): string {
  return `${socketPath ?? `${host}:${port}`}/${database}`;
}

/** Which it is, as the version in a server's greeting says. */
export function mysqlSystemOf(serverVersion: unknown): MysqlSystem {
  return /mariadb/i.test(String(serverVersion)) ? "mariadb" : "mysql";
}

/** Rows returned or changed, of all statements of a query. */
export function countMysqlRows(results: readonly unknown[]): number {
  let rows = 0;
  for (const result of results) {
    if (Array.isArray(result)) rows += result.length;
    else rows += (result as { affectedRows?: number } | null | undefined)?.affectedRows ?? 0;
  }
  return rows;
}

/** Ends a query with what it failed with. */
export function failMysql(operation: DatabaseOperation, error: unknown): void {
  if (operation.endMs !== 0) return;
  // Old releases of the mariadb driver call it `text`.
  const { errno, code, text, sqlMessage = text } = (error ?? {}) as Record<string, unknown>;
  if (typeof sqlMessage === "string" && typeof errno === "number") {
    failOperation(operation, new ServerFailure(sqlMessage, typeof code === "string" ? code : `${errno}`));
    operation.statusCode = `${errno}`;
  } else failOperation(operation, error);
  endOperation(operation);
}

const USE = /^\s*use\s+(?:`((?:[^`]|``)+)`|([^\s;`]+))/i;

/** The database that a connection is in after `USE …`. */
export function databaseUsed(text: string | undefined): string | undefined {
  const [, quoted, plain] = USE.exec(text ?? "") ?? [];
  return quoted?.replaceAll("``", "`") ?? plain;
}

/** Locks of a session are lost with its connection: who has them holds it on purpose. */
function sessionOf({ operationName, queryText }: QueryShape): DatabaseTemplate["session"] {
  if (operationName === "LOCK") return "kept";
  if (operationName === "UNLOCK") return "freed";
  const lock = /\b(get|release|release_all)_locks?\s*\(/i.exec(queryText)?.[1];
  if (lock === undefined) return undefined;
  return lock.toLowerCase() === "get" ? "kept" : "freed";
}
