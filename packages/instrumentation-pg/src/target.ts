import { createShapeCache, type DatabaseTemplate, limitOf, type QueryShape } from "@telltale/core";

/** Where the connections of one pool, or of single clients to one database, lead; holds the templates of its queries. */
export interface Target {
  templateOf(text: string): DatabaseTemplate;
}

/** Servers and databases in one process; a service for many tenants may meet more, which then share no templates. */
const MAX_TARGETS = 200;
/** Query shapes per target, and the length of their texts together; beyond, the oldest are made anew. */
const MAX_TEMPLATES = 1_000;
const MAX_CHARACTERS = 1_000_000;
const unshared = limitOf("db.client.targets");
const forgotten = limitOf("db.client.templates");

const shapes = createShapeCache("postgresql");
const targets = new Map<string, Target>();

/** The target of a connection; one for all connections of a pool. */
export function findTarget(
  host: string | undefined,
  port: number | undefined,
  database: string | undefined,
  poolName: string | undefined,
): Target {
  const key = `${host}\n${port}\n${database}\n${poolName ?? ""}`;
  const known = targets.get(key);
  if (known !== undefined) return known;
  const target = createTarget(host, port, database, poolName);
  if (targets.size < MAX_TARGETS) targets.set(key, target);
  else unshared.total += 1;
  return target;
}

function createTarget(
  host: string | undefined,
  port: number | undefined,
  database: string | undefined,
  poolName: string | undefined,
): Target {
  const isSocket = host?.startsWith("/") === true;
  // Keyed by shape, which the shape cache keeps: queries that differ in literals only meet in one template.
  const templates = new Map<string, DatabaseTemplate>();
  let characters = 0;
  return {
    templateOf(text) {
      const shape = shapes.get(text);
      const known = templates.get(shape.fingerprint);
      if (known !== undefined) return known;
      const template = createTemplate(shape, isSocket ? `${host}/.s.PGSQL.${port}` : host, isSocket ? undefined : port);
      templates.set(shape.fingerprint, template);
      characters += shape.queryText.length;
      for (const [oldest, { queryText = "" }] of templates) {
        if (templates.size <= MAX_TEMPLATES && characters <= MAX_CHARACTERS) break;
        templates.delete(oldest);
        forgotten.total += 1;
        characters -= queryText.length;
      }
      return template;
    },
  };

  function createTemplate(
    shape: QueryShape,
    serverAddress: string | undefined,
    serverPort: number | undefined,
  ): DatabaseTemplate {
    return {
      system: "postgresql",
      namespace: database,
      operationName: shape.operationName,
      collection: shape.collection,
      querySummary: shape.summary,
      queryText: shape.queryText,
      fingerprint: shape.fingerprint,
      effect: shape.effect,
      batch: shape.batch,
      session: sessionOf(shape),
      serverAddress,
      serverPort,
      poolName,
      slots: [],
    };
  }
}

/** Channels and locks of a session are lost with its connection: who has them holds it on purpose. */
function sessionOf({ operationName, queryText }: QueryShape): "kept" | "freed" | undefined {
  if (operationName === "LISTEN") return "kept";
  if (operationName === "UNLISTEN") return "freed";
  const lock = /\bpg_(?:try_)?advisory_(lock|unlock)/i.exec(queryText)?.[1];
  if (lock === undefined) return undefined;
  return lock.toLowerCase() === "lock" ? "kept" : "freed";
}
