import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";
import { context, propagation } from "@opentelemetry/api";
import {
  contextOf,
  endOperation,
  failOperation,
  type Guard,
  hasListeners,
  type HttpClientOperation,
  isSuppressed,
  startHttpClientOperation,
} from "@telltale/core";
import { describeOutgoing } from "./request-attributes.js";

interface CreatedMessage {
  readonly request: ClientRequest;
}

/**
 * Hears outgoing requests of node:http and node:https by `http.client.request.created`, published in the caller's context
 * while headers can still be set. No 'error' and no 'response' listener is ever added: the first would keep an error that
 * nobody handles from ending the process, the second a response that nobody wants from being discarded. Returns what undoes it.
 */
export function hearClient(guard: Guard): () => void {
  const onCreated = (message: unknown): void => {
    if (!guard.on || !hasListeners() || isSuppressed(context.active())) return;
    try {
      follow((message as CreatedMessage).request);
    } catch (error) {
      guard.failed(error);
    }
  };
  const running = new WeakMap<ClientRequest, HttpClientOperation>();

  function follow(request: ClientRequest): void {
    const operation = startHttpClientOperation(
      describeOutgoing({
        method: request.method,
        protocol: request.protocol,
        host: request.host,
        port: portOf(request),
        path: request.path,
      }),
    );
    running.set(request, operation);
    // With headers given as a list, Node has written them already.
    if (!request.headersSent) {
      propagation.inject(contextOf(operation), request, { set: (target, name, value) => target.setHeader(name, value) });
    }
    request.once("close", () => {
      // Without a response, the error that ended it was published before 'close'.
      if (operation.statusCode === 0) {
        if (operation.errorType === undefined) operation.errorType = "aborted";
        endOperation(operation);
      }
    });
  }

  const onResponse = (message: unknown): void => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
    const operation = running.get(request);
    if (operation !== undefined) receive(operation, response);
  };

  const onError = (message: unknown): void => {
    const { request, error } = message as { request: ClientRequest; error: unknown };
    const operation = running.get(request);
    if (operation !== undefined) failOperation(operation, error);
  };

  const subscriptions = [
    ["http.client.request.created", onCreated],
    ["http.client.response.finish", onResponse],
    ["http.client.request.error", onError],
  ] as const;
  for (const [name, heard] of subscriptions) subscribe(name, heard);
  return () => {
    for (const [name, heard] of subscriptions) unsubscribe(name, heard);
  };
}

function receive(operation: HttpClientOperation, response: IncomingMessage): void {
  operation.statusCode = response.statusCode ?? 0;
  operation.protocolVersion = response.httpVersion;
  if (operation.statusCode >= 400) operation.errorType = String(operation.statusCode);
  // 'end' is not heard by those who never read; 'close' is.
  response.once("close", () => {
    if (!response.complete && operation.errorType === undefined) operation.errorType = "aborted";
    endOperation(operation);
  });
}

/** The port is told by the Host header and the agent's name only; Node keeps no field for it. */
function portOf(request: ClientRequest): number | undefined {
  const header = request.getHeader("host");
  const match = typeof header === "string" ? /:(\d{1,5})$/.exec(header) : null;
  return match === null ? undefined : Number(match[1]);
}
