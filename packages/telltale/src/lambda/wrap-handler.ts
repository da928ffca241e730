import { context as contexts } from "@opentelemetry/api";
import { createGuard, startImmediate, startTimer, stopTimer } from "@telltale/core";
import type { Telltale } from "../assemble.js";
import { running } from "../running.js";
import { beginInvocation, type Invocation, type LambdaContext } from "./invocation.js";

type Callback = (error?: unknown, result?: unknown) => void;

/** What `awslambda.streamifyResponse` puts on a handler, which then has the stream as its second argument. */
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
/** Of the time that is left when an invocation begins, what its end needs: it counts as timed out when no more is left. */
const RESERVED_SHARE = 0.1;
const RESERVED_MS = 500;

const guard = createGuard("lambda handler");

/**
 * Wraps a handler of AWS Lambda, of whatever kind: async, with a callback, streaming. Each invocation is a span, and what is to be sent
 * is sent before AWS freezes the function: an answer waits for that, 2 s at most. Results, errors and the handler's own properties stay
 * as they are; where no Telltale runs, the handler is just called.
 */
export function wrapHandler<Handler extends (...args: never[]) => unknown>(handler: Handler): Handler {
  const wrapper = function (this: unknown, ...args: unknown[]): unknown {
    const call = (given: unknown[]): unknown => Reflect.apply(handler, this, given as never[]);
    const telltale = running();
    const isStreaming = STREAMING in wrapper;
    const lambda = (args[isStreaming ? 2 : 1] ?? {}) as LambdaContext;
    const invocation = telltale === undefined ? undefined : begin(args[0], lambda);
    if (telltale === undefined || invocation === undefined) return call(args);

    const ending = new Ending(telltale, invocation, lambda);
    const callback = isStreaming ? undefined : args[2];
    if (typeof callback === "function") args[2] = ending.beforeCallback(callback as Callback);
    let result: unknown;
    try {
      result = contexts.with(invocation.context, call, undefined, args);
    } catch (error) {
      ending.failed(error);
      throw error;
    }
    if (isThenable(result)) return ending.before(result);
    // Nobody can wait for what is sent then; it goes before the process is idle.
    if (typeof callback !== "function" || handler.length < 3) ending.succeeded(result);
    return result;
  };
  for (const key of Reflect.ownKeys(handler)) {
    if (key === "prototype" || key === "arguments" || key === "caller") continue;
    const own = Object.getOwnPropertyDescriptor(handler, key);
    if (own !== undefined) Object.defineProperty(wrapper, key, { ...own, configurable: true });
  }
  return wrapper as unknown as Handler;
}

function begin(event: unknown, lambda: LambdaContext): Invocation | undefined {
  if (!guard.on) return undefined;
  try {
    return beginInvocation(event, lambda);
  } catch (error) {
    guard.failed(error);
    return undefined;
  }
}

/** How an invocation ends, and what is done before its answer leaves. */
class Ending {
  readonly #telltale: Telltale;
  readonly #invocation: Invocation;
  readonly #lambda: LambdaContext;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(telltale: Telltale, invocation: Invocation, lambda: LambdaContext) {
    this.#telltale = telltale;
    this.#invocation = invocation;
    this.#lambda = lambda;
    const left = this.#leftMs();
    if (!Number.isFinite(left)) return;
    // A function that is out of time is killed, and what it has not sent by then is lost.
    this.#timer = startTimer(
      () => {
        this.failed(Object.assign(new Error("the function is out of time"), { code: "timeout" }));
        void this.#deliver();
      },
      Math.max(left - Math.min(RESERVED_MS, left * RESERVED_SHARE), 0),
    );
    this.#timer.unref();
  }

  succeeded(result: unknown): void {
    stopTimer(this.#timer);
    try {
      this.#invocation.end(result);
    } catch (error) {
      guard.failed(error);
    }
  }

  failed(cause: unknown): void {
    stopTimer(this.#timer);
    try {
      this.#invocation.fail(cause);
    } catch (error) {
      guard.failed(error);
    }
  }

  /** The derived promise takes the place of the first one, so an unhandled rejection stays one. */
  before(result: PromiseLike<unknown>): PromiseLike<unknown> {
    return result.then(
      async (value) => {
        this.succeeded(value);
        await this.#deliver();
        return value;
      },
      async (error: unknown) => {
        this.failed(error);
        await this.#deliver();
        throw error;
      },
    );
  }

  beforeCallback(callback: Callback): Callback {
    return (...args) => {
      const [error, result] = args;
      if (error === undefined || error === null) this.succeeded(result);
      else this.failed(error);
      // Not in the promise: what the callback throws is uncaught, and no rejection.
      void this.#deliver().then(() => startImmediate(() => callback(...args)));
    };
  }

  #leftMs(): number {
    try {
      return this.#lambda.getRemainingTimeInMillis?.() ?? Infinity;
    } catch {
      return Infinity;
    }
  }

  async #deliver(): Promise<void> {
    try {
      await this.#telltale.forceFlush({ limitMs: this.#leftMs() });
    } catch (error) {
      guard.failed(error);
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
