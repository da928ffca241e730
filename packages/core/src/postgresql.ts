import { createTargets, type DatabasePlace, type DatabaseTarget } from "./database-targets.js";
import { type DatabaseOperation, type DatabaseTemplate, endOperation, failOperation } from "./operation.js";
import type { QueryShape } from "./query/query-shape.js";

// What the drivers for PostgreSQL have in common.

const findPlace = createTargets("postgresql", sessionOf);

/** The target of a connection; one for all connections of a pool. A host that begins with `/` is the folder of a socket. */
export function findPostgresqlTarget(
  library: string,
  host: string | undefined,
  port: number | undefined,
  database: string | undefined,
  poolName: string | undefined,
): DatabaseTarget {
  return findPlace({ ...placeOfPostgresql(host, port, database, poolName), library });
}

export function placeOfPostgresql(
  host: string | undefined,
  port: number | undefined,
  database: string | undefined,
  poolName: string | undefined,
): DatabasePlace {
  const isSocket = host?.startsWith("/") === true;
  return {
    system: "postgresql",
    namespace: database,
    serverAddress: isSocket ? `${host}/.s.PGSQL.${port}` : host,
    serverPort: isSocket ? undefined : port,
    poolName,
  };
}

/** Ends a query with what it failed with; the server's errors have a SQLSTATE. */
export function failPostgresql(operation: DatabaseOperation, error: unknown): void {
  failOperation(operation, error);
  const code = (operation.error as { code?: unknown } | null | undefined)?.code;
  if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) operation.statusCode = code;
  endOperation(operation);
}

/** Channels and locks of a session are lost with its connection: who has them holds it on purpose. */
function sessionOf({ operationName, queryText }: QueryShape): DatabaseTemplate["session"] {
  if (operationName === "LISTEN") return "kept";
  if (operationName === "UNLISTEN") return "freed";
  const lock = /\bpg_(?:try_)?advisory_(lock|unlock)/i.exec(queryText)?.[1];
  if (lock === undefined) return undefined;
  return lock.toLowerCase() === "lock" ? "kept" : "freed";
}
