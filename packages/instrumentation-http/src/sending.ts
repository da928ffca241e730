import { performance } from "node:perf_hooks";
import { context, type Context } from "@opentelemetry/api";
import { Attached } from "@telltale/core";

/** What the app sends with one call of undici: its retries and redirects are requests of their own, in the caller's context. */
export class Sending {
  readonly context: Context = context.active();
  /** The pool that has it, and since when. */
  pool: object | undefined = undefined;
  askedMs = 0;
  /** -1 until the first request has gone out. */
  resends = -1;
}

/** Found by the handler that undici passes on, and hands in again when it sends again. */
class SendingHandler extends Attached {
  #sending: Sending;

  constructor(handler: object, sending: Sending) {
    super(handler);
    this.#sending = sending;
  }

  static get(handler: object): Sending | undefined {
    return #sending in handler ? handler.#sending : undefined;
  }

  static set(handler: object, sending: Sending): void {
    // oxlint-disable-next-line no-new
    if (!(#sending in handler)) new SendingHandler(handler, sending);
  }
}

/** While one dispatcher hands a request to the next, down to the one that makes it. */
let current: Sending | undefined;

/** A dispatcher is about to handle what the app sends; the result is to be given to `leaveDispatch`. */
export function enterDispatch(handler: unknown): Sending | undefined {
  const outer = current;
  if (typeof handler !== "object" || handler === null) return outer;
  const known = SendingHandler.get(handler);
  current = known ?? outer ?? new Sending();
  if (known === undefined) SendingHandler.set(handler, current);
  return outer;
}

/** What is being dispatched asks a pool for a connection. */
export function notePool(pool: object): void {
  if (current === undefined) return;
  current.pool = pool;
  current.askedMs = performance.now();
}

export function leaveDispatch(outer: Sending | undefined): void {
  current = outer;
}

/** For the request that is being made; what is sent from within (by a `connect` of the app's) is something else. */
export function takeSending(): Sending | undefined {
  const taken = current;
  current = undefined;
  if (taken !== undefined) taken.resends++;
  return taken;
}
