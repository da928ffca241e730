import { subscribe, unsubscribe } from "node:diagnostics_channel";
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

interface UndiciRequest {
  readonly method: string;
  readonly origin: string | URL;
  readonly path: string;
  addHeader(name: string, value: string): void;
}
interface UndiciResponse {
  readonly statusCode: number;
}

/** Hears `fetch` and every undici client by the channels that undici publishes. Returns what undoes it. */
export function hearFetch(guard: Guard): () => void {
  const running = new WeakMap<UndiciRequest, HttpClientOperation>();

  const handlers: Record<string, (message: never) => void> = {
    "undici:request:create": ({ request }: { request: UndiciRequest }) => {
      if (!hasListeners() || isSuppressed(context.active())) return;
      const { protocol, hostname, port } = new URL(request.origin);
      const operation = startHttpClientOperation(
        describeOutgoing({
          method: request.method,
          protocol,
          host: hostname.replace(/^\[|\]$/g, ""),
          port: port === "" ? undefined : Number(port),
          path: request.path,
        }),
      );
      running.set(request, operation);
      propagation.inject(contextOf(operation), request, { set: (target, name, value) => target.addHeader(name, value) });
    },
    "undici:request:headers": ({ request, response }: { request: UndiciRequest; response: UndiciResponse }) => {
      const operation = running.get(request);
      if (operation === undefined) return;
      operation.statusCode = response.statusCode;
      if (response.statusCode >= 400) operation.errorType = String(response.statusCode);
    },
    "undici:request:trailers": ({ request }: { request: UndiciRequest }) => {
      const operation = running.get(request);
      if (operation !== undefined) endOperation(operation);
    },
    "undici:request:error": ({ request, error }: { request: UndiciRequest; error: unknown }) => {
      const operation = running.get(request);
      if (operation === undefined) return;
      failOperation(operation, error);
      endOperation(operation);
    },
  };

  const undo = Object.entries(handlers).map(([name, handle]) => {
    const guarded = (message: unknown): void => {
      if (!guard.on) return;
      try {
        handle(message as never);
      } catch (error) {
        guard.failed(error);
      }
    };
    subscribe(name, guarded);
    return () => unsubscribe(name, guarded);
  });
  return () => {
    for (const step of undo) step();
  };
}
