import type { Attributes, AttributeValue } from "@opentelemetry/api";
import {
  cacheNameOf,
  createShapeCache,
  type DatabaseTemplate,
  limitOf,
  type QueryShape,
  type ShapeCache,
  type SqlDialect,
} from "@telltale/core";

// What spans of other instrumentations say, by the names of today's conventions and by those before them
// (https://opentelemetry.io/docs/specs/semconv/non-normative/db-migration/, …/http-migration/).

/** What a span of a database call says of it. */
export interface DatabaseCall {
  readonly template: DatabaseTemplate;
  readonly text: string | undefined;
  /** Undefined where it has values that nobody has recorded. */
  readonly parameters: readonly unknown[] | undefined;
}

/** The present name of systems that had another one. */
const SYSTEMS: Readonly<Record<string, string>> = {
  mssql: "microsoft.sql_server",
  oracle: "oracle.db",
  cosmosdb: "azure.cosmosdb",
  dynamodb: "aws.dynamodb",
};
const DIALECTS: Readonly<Record<string, SqlDialect>> = {
  mysql: "mysql",
  mariadb: "mysql",
  sqlite: "sqlite",
  "microsoft.sql_server": "mssql",
};
/** They have no SQL, and their own calls to read one key. */
const KEY_READS = new Set(
  "GET GETEX HGET HGETALL HMGET LRANGE SMEMBERS ZRANGE ZSCORE SISMEMBER EXISTS JSON.GET".split(" "),
);
const NO_SQL =
  /^(redis|mongodb|memcached|elasticsearch|opensearch|couchdb|couchbase|aws\.dynamodb|azure\.cosmosdb|neo4j|hbase)$/;

const MAX_TEMPLATES = 2_000;
const forgotten = limitOf("span_processor.templates");

/** Reads spans, and knows the templates of those it has read. */
export class SpanReader {
  private readonly templates = new Map<string, DatabaseTemplate>();
  private readonly shapes = new Map<SqlDialect, ShapeCache>();

  /** The call that a span stands for; undefined for any other span, and for those of connections and pools. */
  databaseCall(attributes: Attributes): DatabaseCall | undefined {
    const named = text(attributes, "db.system.name", "db.system");
    if (named === undefined) return undefined;
    const system = SYSTEMS[named] ?? named;
    const query = text(attributes, "db.query.text", "db.statement");
    const operation = text(attributes, "db.operation.name", "db.operation");
    if (query === undefined && operation === undefined) return undefined;
    const namespace = text(attributes, "db.namespace", "db.name");
    const collection = text(attributes, "db.collection.name", "db.sql.table", "db.mongodb.collection");
    const serverAddress = text(attributes, "server.address", "net.peer.name");
    const serverPort = number(attributes, "server.port", "net.peer.port");
    const shape = NO_SQL.test(system)
      ? shapeOfCommand(system, query, operation, collection)
      : this.shapeOf(system, query, operation);
    const key = [system, namespace, serverAddress, serverPort, shape.fingerprint ?? shape.summary].join("\n");
    let template = this.templates.get(key);
    if (template === undefined) {
      template = {
        system,
        namespace,
        operationName: shape.operationName,
        collection: collection ?? shape.collection,
        querySummary: shape.summary,
        queryText: shape.queryText,
        fingerprint: shape.fingerprint,
        effect: shape.effect,
        batch: shape.batch,
        serverAddress,
        serverPort,
        poolName: undefined,
        slots: [],
      };
      this.keep(key, template);
    }
    return { template, text: query, parameters: parametersOf(attributes, query) };
  }

  private shapeOf(system: string, query: string | undefined, operation: string | undefined): Shape {
    if (query === undefined) return { ...NO_SHAPE, summary: operation ?? system, operationName: operation };
    const dialect = DIALECTS[system] ?? "postgresql";
    const known = this.shapes.get(dialect) ?? createShapeCache(dialect);
    this.shapes.set(dialect, known);
    return known.get(query);
  }

  private keep(key: string, template: DatabaseTemplate): void {
    if (this.templates.size >= MAX_TEMPLATES) {
      forgotten.total += this.templates.size;
      this.templates.clear();
    }
    this.templates.set(key, template);
  }
}

type Shape = Pick<QueryShape, "summary" | "operationName" | "collection" | "effect" | "batch"> & {
  readonly queryText: string | undefined;
  readonly fingerprint: string | undefined;
};

const NO_SHAPE: Shape = {
  summary: "",
  operationName: undefined,
  collection: undefined,
  effect: "write",
  batch: false,
  queryText: undefined,
  fingerprint: undefined,
};

/** A command is known by its name and what its key begins with; nothing else of it is told, as the rest are values. */
function shapeOfCommand(
  system: string,
  query: string | undefined,
  operation: string | undefined,
  collection: string | undefined,
): Shape {
  const [first = "", key] = (query ?? "").split(/\s+/, 2);
  const name = (operation ?? first).toUpperCase();
  if (system !== "redis") {
    return {
      ...NO_SHAPE,
      summary: [operation ?? first, collection].filter((part) => part !== undefined && part !== "").join(" ") || system,
    };
  }
  const family = key === undefined || key === "?" ? undefined : cacheNameOf(key);
  const summary = family === undefined ? name : `${name} ${family}`;
  return {
    ...NO_SHAPE,
    summary,
    operationName: name,
    effect: KEY_READS.has(name) ? "read" : "write",
    fingerprint: summary,
  };
}

/** Values that were recorded (`db.query.parameter.0`, or pg's own before); none for a text that has none. */
function parametersOf(attributes: Attributes, query: string | undefined): readonly unknown[] | undefined {
  const before = attributes["db.postgresql.values"];
  if (before !== undefined && before !== null) return [before];
  const recorded = Object.keys(attributes).filter((name) => name.startsWith("db.query.parameter."));
  if (recorded.length > 0) return recorded.sort().map((name) => attributes[name]);
  return query !== undefined && /[?$:@]/.test(query) ? undefined : [];
}

/** The first of these that is there. */
export function text(attributes: Attributes, ...names: readonly string[]): string | undefined {
  const value = first(attributes, names);
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function number(attributes: Attributes, ...names: readonly string[]): number | undefined {
  const value = Number(first(attributes, names) ?? Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}

function first(attributes: Attributes, names: readonly string[]): AttributeValue | undefined {
  return names.map((name) => attributes[name]).find((value) => value !== undefined);
}
