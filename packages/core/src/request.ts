import { type Context, context, createContextKey } from "@opentelemetry/api";
import type { HttpServerOperation } from "./operation.js";

/**
 * One incoming request, carried by the context; what is counted per request hangs on it. It exists for unsampled requests
 * too.
 */
export interface Request {
  readonly operation: HttpServerOperation;
  /** `http.route`, once a framework has matched one: a pattern, never a path. */
  route: string | undefined;
  /** Private to the listeners, one index each (see `listenerSlot`). */
  readonly slots: unknown[];
}

const requestKey = createContextKey("telltale.request");
const suppressKey = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/** The request that a context belongs to. */
export function activeRequest(from: Context = context.active()): Request | undefined {
  return from.getValue(requestKey) as Request | undefined;
}

export function withRequest(parent: Context, request: Request): Context {
  return parent.setValue(requestKey, request);
}

/** True where the SDK exports: what it sends and stores is nobody's traffic. Same key as `@opentelemetry/core`. */
export function isSuppressed(from: Context): boolean {
  return from.getValue(suppressKey) === true;
}

/** A context in which nothing is recorded, neither by Telltale nor by other instrumentations. */
export function suppress(parent: Context): Context {
  return parent.setValue(suppressKey, true);
}
