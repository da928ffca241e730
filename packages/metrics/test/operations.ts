import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import type {
  DatabaseOperation,
  DatabaseTemplate,
  Finding,
  HttpClientOperation,
  HttpServerOperation,
} from "@telltale/core";
import { getRequest } from "@telltale/test/requests";
import { template as makeTemplate } from "@telltale/test/template";
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

/** A template of one query, of a pool. */
export function template(changes: Partial<DatabaseTemplate> = {}): DatabaseTemplate {
  return makeTemplate({ poolName: "shop", ...changes });
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
    ...getRequest("/orders/7", { serverAddress: "shop.example", serverPort: 80 }),
    statusCode: 200,
    isStreaming: false,
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

/** A slow query that was found. */
export const FINDING: Finding = {
  kind: "slow_query",
  title: "SELECT orders took 310 ms",
  advice: "Add an index.",
  endpoint: "GET /orders",
  route: "/orders",
  system: "postgresql",
  namespace: "shop",
  querySummary: "SELECT orders",
  queryText: "SELECT * FROM orders WHERE note = ?",
  fingerprint: "0123456789abcdef",
  count: 1,
  durationMs: 310,
  waitMs: 0,
  againstMs: 100,
  reason: "threshold",
  traceId: undefined,
  spanId: undefined,
  sampled: false,
  time: 0,
};

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
