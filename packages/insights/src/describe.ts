import {
  type DatabaseOperation,
  type DatabaseTemplate,
  epochOriginMs,
  type Finding,
  type FindingKind,
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

/** What differs from finding to finding. */
interface Evidence {
  readonly kind: FindingKind;
  readonly title: string;
  readonly advice: string;
  readonly count: number;
  readonly durationMs: number;
  readonly waitMs: number;
  readonly againstMs: number;
  readonly reason: string | undefined;
}

/** Completes a finding with the query, the request and the trace it is about. */
export function makeFinding(
  evidence: Evidence,
  template: DatabaseTemplate,
  request: Request | undefined,
  traced: Operation,
): Finding {
  const sampled = keepForFinding(traced);
  const spanContext = traced.span?.spanContext();
  return {
    ...evidence,
    endpoint: endpointOf(request),
    route: request?.route,
    system: template.system,
    namespace: template.namespace,
    querySummary: template.querySummary,
    queryText: template.queryText,
    fingerprint: template.fingerprint,
    traceId: spanContext?.traceId,
    spanId: spanContext?.spanId,
    sampled,
    time: Math.round(epochOriginMs() + traced.endMs),
  };
}

/** Time in the server and on the network: the call without its wait for a pooled connection. */
export function workMs(operation: DatabaseOperation): number {
  return operation.endMs - operation.startMs - operation.waitMs;
}
