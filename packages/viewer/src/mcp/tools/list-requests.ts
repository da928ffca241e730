import type { RequestItem, Requests } from "../../api/answers.js";
import { limitOf, SERVICE } from "../arguments.js";
import { clean } from "../clean.js";
import { describeMoment, describeMs } from "../describe-time.js";
import { inputSchema } from "../input-schema.js";
import { defineTool } from "../tool.js";

export const listRequests = defineTool({
  name: "list_requests",
  title: "Requests",
  description:
    "Lists the newest requests that the services answered, and what each did: spans, queries, cache hits and misses, HTTP calls, findings. " +
    "Narrow it down by route, status, duration, finding or text; get_trace shows one.",
  inputSchema: inputSchema({
    service: SERVICE,
    route: { type: "string", description: 'Only of this route, as the answer names them: "GET /orders/:id".' },
    status: { type: "string", description: 'Only with this status: "2xx", "404", or "error".', maxLength: 10 },
    slower_ms: {
      type: "number",
      description: "Only those that took at least so long, in milliseconds.",
      minimum: 0,
      maximum: 1e9,
    },
    finding: { type: "string", description: 'Only those with a finding of this kind, or "any".', maxLength: 100 },
    text: { type: "string", description: "Only those with this text in names, routes, queries or attributes." },
    limit: limitOf(20),
  }),
  async call({ service, route, status, slower_ms: slower, finding, text, limit }, ask) {
    const query = { service, route, status, slower, finding, text, limit };
    const { requests, next, services, routes } = (await ask(["requests"], query)) as Requests;
    const shown = requests.slice(0, Number(limit));
    return {
      heading:
        shown.length === 0
          ? "No such requests are kept. Leave out conditions, or send the program some requests."
          : `The newest ${shown.length} requests${next === null ? "" : "; there are more"}.`,
      lines: shown.map(describeRequest),
      data: { requests: shown, hasMore: next !== null, services, routes },
    };
  },
});

export function describeRequest(request: RequestItem): string {
  const { did, findings, status, target } = request;
  const counts = [
    `${did.spans} spans`,
    did.queries > 0 ? `${did.queries} queries in ${describeMs(did.queryMs)}` : "",
    did.cacheHits + did.cacheMisses > 0 ? `cache ${did.cacheHits} hits, ${did.cacheMisses} misses` : "",
    did.httpCalls > 0 ? `${did.httpCalls} HTTP calls` : "",
    findings.length > 0 ? `findings: ${clean(findings.join(", "), 120)}` : "",
  ].filter((count) => count !== "");
  return [
    describeMoment(request.startMs),
    `${clean(request.service, 80)} ${clean(request.route, 160)}${target === null ? "" : ` (${clean(target, 160)})`}`,
    `${status ?? ""}${request.isError ? " error" : ""} in ${describeMs(request.durationMs)}`.trim(),
    ...counts,
    `trace ${clean(request.traceId, 40)}`,
  ].join(" · ");
}
