import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import {
  contextOf,
  endOperation,
  type HttpServerOperation,
  type HttpServerStart,
  startHttpServerOperation,
} from "@telltale/core";

/** What is known of a GET request when it arrives: its path, and what else a test wants to be known. */
export function getRequest(path = "/", more: Partial<HttpServerStart> = {}): HttpServerStart {
  return {
    method: "GET",
    originalMethod: undefined,
    scheme: "http",
    path,
    query: undefined,
    serverAddress: undefined,
    serverPort: undefined,
    clientAddress: undefined,
    userAgent: undefined,
    protocolVersion: "1.1",
    ...more,
  };
}

/** Begins to serve a GET request for a route. */
export function beginRequest(route: string | undefined, path = route): HttpServerOperation {
  const served = startHttpServerOperation(getRequest(path), ROOT_CONTEXT);
  if (served.request !== undefined) served.request.route = route;
  return served;
}

/** Work inside of a served request, whose trace id it hears; the request ends with it. */
export async function serve<Result>(
  route: string,
  work: (traceId: string | undefined) => Promise<Result>,
): Promise<Result> {
  const served = beginRequest(route);
  try {
    return await context.with(contextOf(served), work, undefined, served.span?.spanContext().traceId);
  } finally {
    endOperation(served);
  }
}
