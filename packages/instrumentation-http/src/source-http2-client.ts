import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { context, propagation } from "@opentelemetry/api";
import {
  Attached,
  contextOf,
  failOperation,
  type Guard,
  hasListeners,
  type HttpClientOperation,
  isSuppressed,
  replaceMethod,
  siteKeyOf,
  sitesWanted,
  siteWanted,
  takeSite,
  undoAll,
} from "@telltale/core";
import { isEventStream } from "./event-stream.js";
import { endRequest, startSent } from "./in-flight.js";
import { type Http2Sessions, onHttp2Client } from "./http2-sessions.js";
import { defaultPort, describeOutgoing } from "./request-attributes.js";

type Request = (this: ClientHttp2Session, headers?: unknown, ...rest: unknown[]) => ClientHttp2Stream;
type Emit = (this: object, event: string, ...args: unknown[]) => boolean;
type Headers = NodeJS.Dict<string | string[]>;

class SentStream extends Attached {
  #operation: HttpClientOperation;

  constructor(stream: object, operation: HttpClientOperation) {
    super(stream);
    this.#operation = operation;
  }

  static get(stream: object): HttpClientOperation | undefined {
    return #operation in stream ? stream.#operation : undefined;
  }
}

/** Where a session leads. */
interface Place {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}

/** Undefined for a session whose requests are heard elsewhere. */
class PlacedSession extends Attached {
  #place: Place | undefined;

  constructor(session: object, place: Place | undefined) {
    super(session);
    this.#place = place;
  }

  static get(session: object, sessions: Http2Sessions): Place | undefined {
    // oxlint-disable-next-line no-new
    if (!(#place in session)) new PlacedSession(session, findPlace(session as Record<symbol, string>, sessions));
    return #place in session ? session.#place : undefined;
  }
}

function findPlace(session: Readonly<Record<symbol, string>>, sessions: Http2Sessions): Place | undefined {
  // One of undici's, on which it notes whose it is: its channels have told of the request.
  if (Object.getOwnPropertySymbols(session).some(({ description }) => description === "client")) return undefined;
  const { [sessions.authority]: authority, [sessions.protocol]: protocol } = session;
  if (authority === undefined || protocol === undefined) return undefined;
  // An IPv6 address has no brackets here.
  const colon = authority.lastIndexOf(":");
  const port = Number(authority.slice(colon + 1));
  return { protocol, host: authority.slice(0, colon), port: port || defaultPort(protocol) };
}

/** Hears what is sent with node:http2: each stream that the app opens. What a server pushes is no request. */
export function hearHttp2Clients(guard: Guard): () => void {
  const undo: (() => void)[] = [];
  undo.push(onHttp2Client((sessions) => undo.push(...hearSessions(sessions, guard)), guard));
  return () => undoAll(undo);
}

/** The class of streams, once the first was opened. */
let streams: object | undefined;

function hearSessions(sessions: Http2Sessions, guard: Guard): (() => void)[] {
  const hearStreams = (prototype: object): (() => void) =>
    replaceMethod<Emit>(prototype, "emit", (find) => wrapStream(find, guard));
  // Some may be open since before.
  let undoStreams = streams === undefined ? undefined : hearStreams(streams);

  const wrapRequest = (find: () => Request): Request =>
    function request(this: ClientHttp2Session, given, ...rest) {
      let sent: Sent | undefined;
      if (guard.on && hasListeners()) {
        try {
          sent = begin(this, given, sessions, request);
        } catch (error) {
          guard.failed(error);
        }
      }
      if (sent === undefined) return Reflect.apply(find(), this, arguments) as ClientHttp2Stream;
      const { headers, operation } = sent;
      if (operation === undefined) return Reflect.apply(find(), this, [headers, ...rest]) as ClientHttp2Stream;
      let stream: ClientHttp2Stream;
      try {
        stream = Reflect.apply(find(), this, [headers, ...rest]) as ClientHttp2Stream;
      } catch (error) {
        // Wrong headers, or a session that is closed.
        failOperation(operation, error);
        endRequest(operation);
        throw error;
      }
      try {
        streams ??= Object.getPrototypeOf(stream) as object;
        undoStreams ??= hearStreams(streams);
        // oxlint-disable-next-line no-new
        new SentStream(stream, operation);
      } catch (error) {
        guard.failed(error);
      }
      return stream;
    };

  return [replaceMethod<Request>(sessions.prototype, "request", wrapRequest), () => undoStreams?.()];
}

/** What a request is sent as; without an operation where the headers cannot be read. */
interface Sent {
  readonly headers: unknown;
  readonly operation?: HttpClientOperation;
}

function begin(
  session: ClientHttp2Session,
  given: unknown,
  sessions: Http2Sessions,
  below: (...args: never[]) => unknown,
): Sent | undefined {
  const parent = context.active();
  if (given === null || (given !== undefined && typeof given !== "object") || isSuppressed(parent)) return undefined;
  const place = PlacedSession.get(session, sessions);
  if (place === undefined) return undefined;
  const isOpen = !session.closed && !session.destroyed;
  let headers: object;
  try {
    headers = isOpen ? copyOf(given ?? {}) : valuesOf(given ?? {});
  } catch (error) {
    return isOpen ? { headers: throwerOf(error) } : undefined;
  }
  const method = headerOf(headers, ":method") ?? "GET";
  const path = headerOf(headers, ":path") ?? (method === "CONNECT" ? "" : "/");
  const operation = startSent(describeOutgoing({ ...place, method, path }), parent);
  operation.protocolVersion = "2";
  if (sitesWanted()) {
    const key = siteKeyOf(operation);
    if (siteWanted(key)) operation.takenSite = takeSite(key, below);
  }
  if (!isOpen) return { headers: given, operation };
  addPropagation(headers, operation);
  return { headers, operation };
}

/** A copy, as the app may use its own again; made as Node makes one, by which each getter of the app's is asked once. */
function copyOf(given: object): object {
  // With what stands beside the items: the names that are not to be compressed.
  return Array.isArray(given) ? Object.assign([], given) : { ...given };
}

/** What can be said of headers without asking a getter of the app's: where the session is closed, Node 22 does not look at them. */
function valuesOf(given: object): object {
  if (Array.isArray(given)) return given;
  const described = Object.entries(Object.getOwnPropertyDescriptors(given));
  return Object.fromEntries(described.map(([name, { value }]) => [name, value as unknown]));
}

/** Headers on which Node meets what a getter of the app's has thrown. */
function throwerOf(error: unknown): object {
  return {
    get header(): never {
      throw error;
    },
  };
}

/** Of headers as an object, or as names and values in turn, which Node takes from 24.2 on. */
function headerOf(headers: object, name: string): string | undefined {
  let value: unknown;
  if (Array.isArray(headers)) value = headers.includes(name) ? headers[headers.indexOf(name) + 1] : undefined;
  else value = (headers as Headers)[name];
  // Anything else is not a request that goes out.
  return typeof value === "string" ? value : undefined;
}

/** Replaces what the app has set, as sent twice it would count as none. */
function addPropagation(headers: object, operation: HttpClientOperation): void {
  const added = Object.create(null) as Record<string, string>;
  propagation.inject(contextOf(operation), added);
  const isAdded = (name: unknown): boolean => typeof name === "string" && name.toLowerCase() in added;
  if (Array.isArray(headers)) {
    // The last one has no value, and is to get none.
    if (headers.length % 2 !== 0) return;
    for (let at = headers.length - 2; at >= 0; at -= 2) if (isAdded(headers[at])) headers.splice(at, 2);
    headers.push(...Object.entries(added).flat());
    return;
  }
  for (const name of Object.keys(headers)) if (isAdded(name)) delete (headers as Headers)[name];
  Object.assign(headers, added);
}

const wrapStream = (find: () => Emit, guard: Guard): Emit =>
  function emit(this: object, event: string) {
    const operation = SentStream.get(this);
    if (operation !== undefined && operation.endMs === 0) {
      try {
        hear(event, arguments[1], operation);
      } catch (error) {
        guard.failed(error);
      }
    }
    return Reflect.apply(find(), this, arguments);
  };

function hear(event: string, subject: unknown, operation: HttpClientOperation): void {
  switch (event) {
    case "response": {
      // As anybody may emit it.
      if (typeof subject !== "object" || subject === null) return;
      const { ":status": status, "content-type": type } = subject as { ":status"?: number; "content-type"?: string };
      operation.statusCode = status ?? 0;
      if (operation.statusCode >= 400) operation.errorType = String(status);
      // What follows the answer to a CONNECT is no longer HTTP's.
      if (operation.method === "CONNECT" || isEventStream(type)) endRequest(operation);
      return;
    }
    case "error":
      failOperation(operation, subject);
      endRequest(operation);
      return;
    case "end":
      if (operation.statusCode > 0) endRequest(operation);
      return;
    case "close":
      if (operation.statusCode === 0) operation.errorType ??= "aborted";
      endRequest(operation);
  }
}
