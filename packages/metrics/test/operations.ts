import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import type { DatabaseOperation, DatabaseTemplate, HttpClientOperation, HttpServerOperation } from "@telltale/core";
import type { Metrics } from "../src/index.js";

const base = {
  context: ROOT_CONTEXT,
  request: undefined,
  error: undefined,
  errorType: undefined,
  span: undefined,
  attributes: undefined,
};
const unsited = { takenSite: undefined, site: undefined, explainer: undefined };

export function template(changes: Partial<DatabaseTemplate> = {}): DatabaseTemplate {
  return {
    system: "postgresql",
    namespace: "shop",
    operationName: "SELECT",
    collection: "orders",
    querySummary: "SELECT orders",
    queryText: "SELECT * FROM orders WHERE id = $1",
    fingerprint: "0123456789abcdef",
    effect: "read",
    serverAddress: "db.example",
    serverPort: 5432,
    poolName: "shop",
    slots: [],
    ...changes,
  };
}

/** A query that took so many ms. */
export function query(of: DatabaseTemplate, ms: number, errorType?: string): DatabaseOperation {
  return {
    ...base,
    kind: "database",
    template: of,
    startMs: 1000,
    endMs: 1000 + ms,
    errorType,
    text: undefined,
    parameters: undefined,
    waitMs: 0,
    rows: undefined,
    statusCode: undefined,
    batchSize: undefined,
    cacheHits: 0,
    cacheMisses: 0,
    cacheName: undefined,
    ...unsited,
  };
}

export function served(ms: number, route: string | undefined, changes: Partial<HttpServerOperation> = {}) {
  const operation: HttpServerOperation = {
    ...base,
    kind: "http.server",
    startMs: 1000,
    endMs: 1000 + ms,
    method: "GET",
    originalMethod: undefined,
    scheme: "http",
    path: "/orders/7",
    query: undefined,
    serverAddress: "shop.example",
    serverPort: 80,
    clientAddress: undefined,
    userAgent: undefined,
    protocolVersion: "1.1",
    statusCode: 200,
    ...changes,
  };
  operation.request = { operation, route, slots: [] };
  return operation;
}

export function sent(ms: number, changes: Partial<HttpClientOperation> = {}): HttpClientOperation {
  return {
    ...base,
    kind: "http.client",
    startMs: 1000,
    endMs: 1000 + ms,
    method: "POST",
    originalMethod: undefined,
    ...unsited,
    url: "https://pay.example/charge",
    serverAddress: "pay.example",
    serverPort: 443,
    protocolVersion: "1.1",
    statusCode: 200,
    ...changes,
  };
}

/** What a reader would get of one metric now; no points where it is absent. */
export async function collected(metrics: Metrics, name: string) {
  const { resourceMetrics, errors } = await metrics.producer.collect();
  if (errors.length > 0) throw errors[0];
  const data = resourceMetrics.scopeMetrics.flatMap((scope): MetricData[] => scope.metrics);
  const found = data.filter(({ descriptor }) => descriptor.name === name);
  if (found.length > 1) throw new Error(`${name} comes ${found.length} times`);
  return { data: found[0], points: found[0]?.dataPoints ?? [] };
}

/** Points as attributes and value, easy to compare. */
export async function values(metrics: Metrics, name: string): Promise<[attributes: object, value: unknown][]> {
  const { points } = await collected(metrics, name);
  return points.map(({ attributes, value }) => [attributes, value]);
}
