import type { Context } from "@opentelemetry/api";
import {
  endOperation,
  endResponse,
  type HttpClientOperation,
  type HttpClientStart,
  type HttpServerOperation,
  type HttpServerStart,
  startHttpClientOperation,
  startHttpServerOperation,
} from "@telltale/core";

/** Requests that have begun, of which an end is still to be heard. Which they are is not kept: that would cost every one of them. */
let inFlight = 0;
let steps: (() => void)[] = [];

export function startServed(start: HttpServerStart, parent: Context): HttpServerOperation {
  inFlight += 1;
  return startHttpServerOperation(start, parent);
}

export function startSent(start: HttpClientStart, parent: Context): HttpClientOperation {
  inFlight += 1;
  return startHttpClientOperation(start, parent);
}

/** Ends a request, once; one that is streaming has its response still to end. */
export function endRequest(operation: HttpServerOperation | HttpClientOperation): void {
  if (operation.endMs !== 0) return;
  endOperation(operation);
  if (operation.kind === "http.client" || !operation.isStreaming) landed();
}

/** Ends the response of a request that has ended before it. */
export function endStreaming(operation: HttpServerOperation): void {
  if (!operation.isStreaming) return;
  endResponse(operation);
  landed();
}

/** Takes a step that does not throw once all requests that have begun have ended; at once where none is open. */
export function whenNoneInFlight(step: () => void): void {
  if (inFlight === 0) step();
  else steps.push(step);
}

function landed(): void {
  inFlight -= 1;
  if (inFlight > 0 || steps.length === 0) return;
  for (const step of steps) step();
  steps = [];
}
