import type { DatabaseTemplate } from "./operation.js";
import type { QueryShape, SqlDialect } from "./query/query-shape.js";
import { createShapeCache } from "./query/shape-cache.js";
import { limitOf } from "./self.js";

/** Where the connections of one pool, or of single clients to one database, lead: what all their templates have in common. */
export type DatabasePlace = Pick<
  DatabaseTemplate,
  "system" | "namespace" | "serverAddress" | "serverPort" | "poolName" | "library"
>;

/** Holds the templates of the queries to one place. */
export interface DatabaseTarget {
  templateOf(text: string): DatabaseTemplate;
}

/** Servers and databases in one process; a service for many tenants may meet more, which then share no templates. */
const MAX_TARGETS = 200;
/** Query shapes per target, and the length of their texts together; beyond, the oldest are made anew. */
const MAX_TEMPLATES = 1_000;
const MAX_CHARACTERS = 1_000_000;
const unshared = limitOf("db.client.targets");
const forgotten = limitOf("db.client.templates");

/**
 * Finds the target of a place, one for all connections to it, for servers that speak `dialect`. `sessionOf` tells whether a statement gives
 * its session what would be lost with the connection.
 */
export function createTargets(
  dialect: SqlDialect,
  sessionOf: (shape: QueryShape) => DatabaseTemplate["session"],
): (place: DatabasePlace) => DatabaseTarget {
  const shapes = createShapeCache(dialect);
  const targets = new Map<string, DatabaseTarget>();

  function createTarget(place: DatabasePlace): DatabaseTarget {
    // Keyed by shape, which the shape cache keeps: queries that differ in literals only meet in one template.
    const templates = new Map<string, DatabaseTemplate>();
    let characters = 0;
    return {
      templateOf(text) {
        const shape = shapes.get(text);
        const known = templates.get(shape.fingerprint);
        if (known !== undefined) return known;
        const template = createTemplate(place, shape);
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
  }

  function createTemplate(place: DatabasePlace, shape: QueryShape): DatabaseTemplate {
    return {
      system: place.system,
      namespace: place.namespace,
      operationName: shape.operationName,
      collection: shape.collection,
      querySummary: shape.summary,
      queryText: shape.queryText,
      fingerprint: shape.fingerprint,
      effect: shape.effect,
      batch: shape.batch,
      session: sessionOf(shape),
      serverAddress: place.serverAddress,
      serverPort: place.serverPort,
      poolName: place.poolName,
      library: place.library,
      slots: [],
    };
  }

  return (place) => {
    const { system, namespace, serverAddress, serverPort, poolName, library } = place;
    const key = `${library}\n${system}\n${serverAddress}\n${serverPort}\n${namespace}\n${poolName ?? ""}`;
    const known = targets.get(key);
    if (known !== undefined) return known;
    const target = createTarget(place);
    if (targets.size < MAX_TARGETS) targets.set(key, target);
    else unshared.total += 1;
    return target;
  };
}
