import type { ServerResponse } from "node:http";
import type { Context } from "@opentelemetry/api";
import { Attached, type HttpServerOperation, type Request } from "@telltale/core";
import type { Routing } from "./routing.js";

/** A request that is being served. */
export class Served {
  readonly operation: HttpServerOperation;
  readonly request: Request | undefined;
  /** Undefined where the app answers by itself, on the socket of an upgrade. */
  readonly response: ServerResponse | undefined;
  /** What handlers and the listeners of both messages run in. */
  readonly context: Context;
  /** How many listen for the end of the response before the app does. */
  readonly ownFinishListeners: number;
  /** Where a framework's routers are with it. */
  routing: Routing | undefined = undefined;
  /** Those that wait behind another response of their connection, this one among them. */
  queue: Set<Served> | undefined = undefined;
  /** The head of the response was looked at when it went out. */
  isHeadSeen = false;

  constructor(operation: HttpServerOperation, response: ServerResponse | undefined, context: Context) {
    this.operation = operation;
    this.request = operation.request;
    this.response = response;
    this.context = context;
    this.ownFinishListeners = response?.listenerCount("finish") ?? 0;
  }
}

/** Puts the request on its incoming message. */
class ServedMessage extends Attached {
  #served: Served | undefined = undefined;

  // What V8 makes by itself takes twice as long.
  // oxlint-disable-next-line no-useless-constructor
  constructor(message: object) {
    super(message);
  }

  static get(message: object): Served | undefined {
    return #served in message ? message.#served : undefined;
  }

  /** False when it was claimed before. */
  static claim(message: object): boolean {
    try {
      // oxlint-disable-next-line no-new
      new ServedMessage(message);
      return true;
    } catch {
      return false;
    }
  }

  static set(message: object, here: Served): void {
    (message as ServedMessage).#served = here;
  }
}

/** Puts the request on its response. */
class ServedResponse extends Attached {
  #served: Served;

  constructor(response: object, here: Served) {
    super(response);
    this.#served = here;
  }

  static get(response: object): Served | undefined {
    return #served in response ? response.#served : undefined;
  }

  static set(response: object, here: Served): void {
    try {
      // oxlint-disable-next-line no-new
      new ServedResponse(response, here);
    } catch {
      // It has one.
      (response as ServedResponse).#served = here;
    }
  }
}

/** Makes a request known by both of its messages. */
export function attachServed(message: object, response: object, here: Served): void {
  ServedMessage.set(message, here);
  ServedResponse.set(response, here);
}

/** The same for one that has no response of Node's. */
export function attachServedMessage(message: object, here: Served): void {
  ServedMessage.set(message, here);
}

/** To be called before a message is attached; false for one that is, or is about to be. */
export const claimMessage = ServedMessage.claim;
export const servedByMessage = ServedMessage.get;
export const servedByResponse = ServedResponse.get;

let lastMessage: object | undefined;
let lastServed: Served | undefined;

/** The request of a message, quick for the one asked for before: the layers of a framework ask one after the other. */
export function servedOf(message: object): Served | undefined {
  if (message === lastMessage) return lastServed;
  const found = servedByMessage(message);
  if (found === undefined) return undefined;
  lastMessage = message;
  lastServed = found;
  return found;
}

/** The request has ended: nothing of it is kept. */
export function forget(here: Served): void {
  if (here !== lastServed) return;
  lastMessage = undefined;
  lastServed = undefined;
}
