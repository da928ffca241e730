import {
  type DatabaseOperation,
  type DatabaseTemplate,
  epochOriginMs,
  keepForFinding,
  type Operation,
  type Request,
} from "@telltale/core";

/** `GET /orders/:id`; outside of a matched route the method alone. */
export function endpointOf(request: Request | undefined): string | undefined {
  if (request === undefined) return undefined;
  const { method } = request.operation;
  return request.route === undefined ? method : `${method} ${request.route}`;
}

/** `12.3 ms`, `340 ms`, `2.15 s`. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

export function summaryOf(template: DatabaseTemplate): string {
  return template.querySummary ?? template.operationName ?? template.system;
}

/** Keeps values by keys: no tables, no plans, and many keys in one call. */
export function isKeyValue(template: DatabaseTemplate | undefined): boolean {
  return template?.system === "redis" || template?.system === "memcached";
}

/** The query that a finding is about, if it is about one. */
export function factsOfQuery(template: DatabaseTemplate | undefined) {
  return {
    system: template?.system,
    namespace: template?.namespace,
    querySummary: template?.querySummary,
    queryText: template?.queryText,
    fingerprint: template?.fingerprint,
  };
}

/** The request that a finding is about, and the trace of `traced`, the request or a call in it: that is kept if it can be. */
export function factsOfRequest(request: Request | undefined, traced: Operation | undefined = request?.operation) {
  const sampled = traced !== undefined && keepForFinding(traced);
  const spanContext = traced?.span?.spanContext();
  return {
    endpoint: endpointOf(request),
    route: request?.route,
    traceId: spanContext?.traceId,
    spanId: spanContext?.spanId,
    sampled,
  };
}

/** A time of `performance.now()` on the wall clock, as findings have it. */
export function wallTimeOf(ms: number): number {
  return Math.round(epochOriginMs() + ms);
}

/** Time in the server and on the network: the call without its wait for a pooled connection. */
export function workMs(operation: DatabaseOperation): number {
  return operation.endMs - operation.startMs - operation.waitMs;
}
