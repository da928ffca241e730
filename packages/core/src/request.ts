import { type Context, context, createContextKey } from "@opentelemetry/api";
import { requestOf } from "./context.js";
import type { HttpServerOperation } from "./operation.js";

/**
 * One incoming request, carried by the context; what is counted per request hangs on it. It exists for unsampled requests
 * too.
 */
export class Request {
  readonly operation: HttpServerOperation;
  /** `http.route`, once a framework has matched one: a pattern, never a path. */
  route: string | undefined = undefined;
  /** Private to the listeners, one index each (see `requestSlot`). */
  readonly slots: unknown[];

  constructor(operation: HttpServerOperation) {
    this.operation = operation;
    this.slots = EMPTY_SLOTS.slice();
  }
}

/** Copied, because V8 may come to make an array literal in a hot function in old space, where it outlives its request (see `operation.ts`). */
const EMPTY_SLOTS: readonly unknown[] = Array.from({ length: 8 });

const suppressKey = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/** The request that a context belongs to. */
export function activeRequest(from: Context = context.active()): Request | undefined {
  return requestOf(from);
}

/** True where the SDK exports: what it sends and stores is nobody's traffic. Same key as `@opentelemetry/core`. */
export function isSuppressed(from: Context): boolean {
  return from.getValue(suppressKey) === true;
}

/** A context in which nothing is recorded, neither by Telltale nor by other instrumentations. */
export function suppress(parent: Context): Context {
  return parent.setValue(suppressKey, true);
}
