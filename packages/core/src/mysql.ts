import { createTargets, type DatabasePlace, type DatabaseTarget } from "./database-targets.js";
import { type DatabaseOperation, type DatabaseTemplate, endOperation, failOperation } from "./operation.js";
import type { QueryShape } from "./query/query-shape.js";

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

/** Ends a query with what it failed with. */
export function failMysql(operation: DatabaseOperation, error: unknown): void {
  if (operation.endMs !== 0) return;
  // Old releases of the mariadb driver call it `text`.
  const { errno, code, text, sqlMessage = text } = (error ?? {}) as Record<string, unknown>;
  if (typeof sqlMessage === "string" && typeof errno === "number") {
    failOperation(
      operation,
      new ServerFailure(withoutValues(sqlMessage), typeof code === "string" ? code : `${errno}`),
    );
    operation.statusCode = `${errno}`;
  } else failOperation(operation, error);
  endOperation(operation);
}

/** What the server said, as far as it may be recorded. */
class ServerFailure extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The server quotes what it does not like: values, and the text with the values in it ("… syntax to use near '…'"). Where quotes within
 * the quote end nobody can tell.
 */
function withoutValues(message: string): string {
  return message.replace(/['"`].*$/s, "…");
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
