import type { EventEmitter } from "node:events";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { context, type Context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import {
  activeRequest,
  Attached,
  contextOf,
  failOperation,
  type Guard,
  type HttpServerOperation,
  replaceMethod,
  undoAll,
} from "@telltale/core";
import { isEventStream } from "./event-stream.js";
import { endRequest, endStreaming, startServed } from "./in-flight.js";
import { type Incoming, IncomingDescription } from "./request-attributes.js";
import { attachServedMessage, claimMessage, forget, Served } from "./served.js";

type Emit = (this: EventEmitter, event: string, ...args: unknown[]) => boolean;
type Respond = (this: ServerHttp2Stream, ...args: unknown[]) => unknown;

class ServedStream extends Attached {
  #served: Served;

  constructor(stream: object, here: Served) {
    super(stream);
    this.#served = here;
  }

  static get(stream: object): Served | undefined {
    return #served in stream ? stream.#served : undefined;
  }
}

/** A stream as the message that it carries. */
class StreamMessage implements Incoming {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly httpVersion = "2";
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };

  constructor({ session }: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    const { ":method": method, ":path": path, ":authority": authority } = headers;
    this.method = method;
    // A CONNECT has none.
    this.url = path ?? authority;
    this.headers = headers;
    const remoteAddress = session === undefined || session.destroyed ? undefined : session.socket.remoteAddress;
    this.socket = session?.encrypted === true ? ({ remoteAddress, encrypted: true } as object) : { remoteAddress };
  }
}

export interface Http2Server {
  /** The app is about to be handed a stream: what to run its listeners in. */
  begin(stream: object, headers: object): Context;
  stop(): void;
}

/** The request of a stream that the app is being handed as a message of the compatibility API, whose routes are noted by that. */
export function attachStreamMessage(message: object): void {
  const { stream } = message as { readonly stream?: unknown };
  const here = typeof stream === "object" && stream !== null ? ServedStream.get(stream) : undefined;
  if (here !== undefined && claimMessage(message)) attachServedMessage(message, here);
}

export function isServedStream(stream: object): boolean {
  return ServedStream.get(stream) !== undefined;
}

/** The class of streams, once the first was served. */
let streams: object | undefined;

/**
 * Hears the streams that servers of node:http2 hand to the app, in both of its APIs. That module is never loaded for it: the class of
 * streams is found with the first one. What the app pushes is no request.
 */
export function createHttp2Server(trustForwarded: boolean, guard: Guard): Http2Server {
  let undo: (() => void)[] = [];

  const wrapRespond = (find: () => Respond): Respond =>
    function respond(this: ServerHttp2Stream) {
      const result = Reflect.apply(find(), this, arguments) as unknown;
      try {
        const here = ServedStream.get(this);
        if (here !== undefined) hearHead(this, here);
      } catch (error) {
        guard.failed(error);
      }
      return result;
    };

  const wrapStream = (find: () => Emit): Emit =>
    function emit(this: EventEmitter, event: string) {
      const here = ServedStream.get(this);
      if (here === undefined) return Reflect.apply(find(), this, arguments) as boolean;
      if (event === "error") noteError(here.operation, arguments[1]);
      try {
        // It arrives in the context of the connection.
        if (this.listenerCount(event) === 0 || activeRequest() === here.request)
          return Reflect.apply(find(), this, arguments) as boolean;
        return context.with(here.context, find(), this, ...(arguments as unknown as Parameters<Emit>));
      } finally {
        if (event === "close") end(this as unknown as ServerHttp2Stream, here, guard);
      }
    };

  const hearStreams = (prototype: object): (() => void)[] => [
    replaceMethod(prototype, "emit", wrapStream),
    ...["respond", "respondWithFD", "respondWithFile"].map((name) => replaceMethod(prototype, name, wrapRespond)),
  ];
  // Some may be open since before.
  if (streams !== undefined) undo = hearStreams(streams);

  return {
    begin(stream, headers) {
      const served = stream as ServerHttp2Stream;
      streams ??= Object.getPrototypeOf(stream) as object;
      if (undo.length === 0) undo = hearStreams(streams);
      const message = new StreamMessage(served, headers as IncomingHttpHeaders);
      const { ":authority": authority, host = authority } = headers as IncomingHttpHeaders;
      const description = new IncomingDescription(message, trustForwarded, host);
      const operation = startServed(description, propagation.extract(ROOT_CONTEXT, headers));
      const runIn = contextOf(operation);
      // oxlint-disable-next-line no-new
      new ServedStream(stream, new Served(operation, undefined, runIn));
      return runIn;
    },
    stop: () => undoAll(undo),
  };
}

/** What the peer did is no failure of the app's: it has reset the stream, or the connection was lost. */
const OF_THE_PEER = new Set(["ERR_HTTP2_STREAM_ERROR", "ERR_HTTP2_SESSION_ERROR", "ECONNRESET"]);

function noteError(operation: HttpServerOperation, error: unknown): void {
  const { code } = (error ?? {}) as { code?: unknown };
  if (typeof code !== "string" || !OF_THE_PEER.has(code)) failOperation(operation, error);
}

function hearHead(stream: ServerHttp2Stream, { operation }: Served): void {
  if (operation.endMs !== 0 || !stream.headersSent) return;
  const isTunnel = operation.method === "CONNECT";
  const type = stream.sentHeaders["content-type"];
  if (!isTunnel && !isEventStream(type === undefined ? undefined : String(type))) return;
  operation.isStreaming = !isTunnel;
  finish(stream, operation);
}

function end(stream: ServerHttp2Stream, here: Served, guard: Guard): void {
  const { operation } = here;
  try {
    forget(here);
    if (operation.endMs !== 0) endStreaming(operation);
    else finish(stream, operation);
  } catch (error) {
    guard.failed(error);
  }
}

function finish({ headersSent, sentHeaders }: ServerHttp2Stream, operation: HttpServerOperation): void {
  if (headersSent) {
    const { ":status": status = 200 } = sentHeaders;
    operation.statusCode = Number(status);
    if (operation.statusCode >= 500) operation.errorType = String(status);
  } else operation.errorType ??= "aborted";
  endRequest(operation);
}
