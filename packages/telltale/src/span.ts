import { type Attributes, type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import { errorType, VERSION } from "@telltale/core";

/**
 * Runs a function in a span of its own and returns what it returns. The span ends on every way out: when the function
 * returns, throws, or its promise settles. An error is recorded on the span and thrown on, unchanged. Without a running SDK
 * the function just runs.
 *
 * `await span("charge card", { "order.id": id }, async (span) => { … })`
 */
export function span<T>(name: string, fn: (span: Span) => T): T;
export function span<T>(name: string, attributes: Attributes, fn: (span: Span) => T): T;
export function span<T>(name: string, second: Attributes | ((span: Span) => T), third?: (span: Span) => T): T {
  const fn = typeof second === "function" ? second : third;
  if (typeof fn !== "function") {
    throw new TypeError(`span("${name}", …) needs a function to run as its last argument, got ${typeof fn}`);
  }
  const options = typeof second === "function" ? {} : { attributes: second };
  return trace
    .getTracer("telltale", VERSION)
    .startActiveSpan(name, options, (active) => runIn(active, () => fn(active)));
}

/** Wraps a function so that every call runs in a span; its type, `this`, name and length stay. Default name: the function's. */
export function traced<F extends (...args: never[]) => unknown>(name: string, fn: F): F;
export function traced<F extends (...args: never[]) => unknown>(fn: F): F;
export function traced<F extends (...args: never[]) => unknown>(first: string | F, second?: F): F {
  const fn = typeof first === "function" ? first : second;
  if (typeof fn !== "function") throw new TypeError(`traced("${String(first)}", …) needs a function, got ${typeof fn}`);
  const name = typeof first === "string" ? first : fn.name || "anonymous";
  const wrapper = function (this: unknown, ...args: never[]): unknown {
    return trace
      .getTracer("telltale", VERSION)
      .startActiveSpan(name, (active) => runIn(active, () => fn.apply(this, args)));
  };
  Object.defineProperties(wrapper, {
    name: { value: fn.name, configurable: true },
    length: { value: fn.length, configurable: true },
  });
  return wrapper as F;
}

/** Adds attributes to the active span; outside of one it does nothing. */
export function annotate(attributes: Attributes): void {
  trace.getActiveSpan()?.setAttributes(attributes);
}

function runIn<T>(active: Span, fn: () => T): T {
  let result: T;
  try {
    result = fn();
  } catch (error) {
    fail(active, error);
    throw error;
  }
  if (!isThenable(result)) {
    active.end();
    return result;
  }
  // The derived promise takes the place of the first one, so an unhandled rejection stays one.
  return result.then(
    (value) => {
      active.end();
      return value;
    },
    (error: unknown) => {
      fail(active, error);
      throw error;
    },
  ) as T;
}

function fail(active: Span, error: unknown): void {
  active.setStatus({ code: SpanStatusCode.ERROR });
  try {
    active.setAttribute("error.type", errorType(error));
    const message = error instanceof Error ? error.message : String(error);
    active.setStatus({ code: SpanStatusCode.ERROR, message });
    active.recordException(error instanceof Error ? error : message);
  } catch {
    // Anything can be thrown, also what throws when it is read or has no text; it is thrown on all the same.
  }
  active.end();
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
