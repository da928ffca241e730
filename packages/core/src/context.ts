import { type Context, createContextKey, type Span } from "@opentelemetry/api";
import type { Request } from "./request.js";

/** The API's own key, by which `trace.getSpan` finds the active span. */
const spanKey = createContextKey("OpenTelemetry Context Key SPAN");
const requestKey = createContextKey("telltale.request");

/**
 * A context with a place of its own for the span and for the request. The API's contexts copy a Map and make three functions for every
 * value (0.4 µs and 700 bytes, alive as long as the request); this one is four fields. Everything else that a context carries is in
 * `others`, which is never another one of these: a chain of nested spans stays as long as one.
 */
class OperationContext implements Context {
  readonly span: Span | undefined;
  readonly request: Request | undefined;
  readonly others: Context;

  constructor(span: Span | undefined, request: Request | undefined, others: Context) {
    this.span = span;
    this.request = request;
    this.others = others;
  }

  getValue(key: symbol): unknown {
    if (key === spanKey) return this.span;
    return key === requestKey ? this.request : this.others.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    if (key === spanKey) return new OperationContext(value as Span | undefined, this.request, this.others);
    if (key === requestKey) return new OperationContext(this.span, value as Request | undefined, this.others);
    return new OperationContext(this.span, this.request, this.others.setValue(key, value));
  }

  deleteValue(key: symbol): Context {
    if (key === spanKey || key === requestKey) return this.setValue(key, undefined);
    return new OperationContext(this.span, this.request, this.others.deleteValue(key));
  }
}

/** The request that a context belongs to. */
export function requestOf(context: Context): Request | undefined {
  return context instanceof OperationContext ? context.request : (context.getValue(requestKey) as Request | undefined);
}

/** The span that is active in a context. */
export function spanOf(context: Context): Span | undefined {
  return context instanceof OperationContext ? context.span : (context.getValue(spanKey) as Span | undefined);
}

export function withRequest(parent: Context, request: Request): Context {
  return parent instanceof OperationContext
    ? new OperationContext(parent.span, request, parent.others)
    : new OperationContext(spanOf(parent), request, parent);
}

export function withSpan(parent: Context, span: Span): Context {
  return parent instanceof OperationContext
    ? new OperationContext(span, parent.request, parent.others)
    : new OperationContext(span, requestOf(parent), parent);
}
