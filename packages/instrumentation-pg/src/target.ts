import {
  createTargets,
  type DatabasePlace,
  type DatabaseTarget,
  type DatabaseTemplate,
  type QueryShape,
} from "@telltale/core";

export type { DatabaseTarget as Target } from "@telltale/core";

const findPlace = createTargets("postgresql", sessionOf);

/** The target of a connection; one for all connections of a pool. */
export function findTarget(
  host: string | undefined,
  port: number | undefined,
  database: string | undefined,
  poolName: string | undefined,
): DatabaseTarget {
  return findPlace(placeOf(host, port, database, poolName));
}

export function placeOf(
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

/** Channels and locks of a session are lost with its connection: who has them holds it on purpose. */
function sessionOf({ operationName, queryText }: QueryShape): DatabaseTemplate["session"] {
  if (operationName === "LISTEN") return "kept";
  if (operationName === "UNLISTEN") return "freed";
  const lock = /\bpg_(?:try_)?advisory_(lock|unlock)/i.exec(queryText)?.[1];
  if (lock === undefined) return undefined;
  return lock.toLowerCase() === "lock" ? "kept" : "freed";
}
