import { executionAsyncResource } from "node:async_hooks";
import type { EventEmitter } from "node:events";
import { type IncomingMessage, IncomingMessage as Incoming, ServerResponse } from "node:http";
import { Server, Socket } from "node:net";
import { context, type Context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import {
  activeRequest,
  contextOf,
  enterContext,
  failOperation,
  type Guard,
  hasListeners,
  type HttpServerOperation,
  isSuppressed,
  replaceMethod,
  suppress,
  undoAll,
} from "@telltale/core";
import { isEventStream } from "./event-stream.js";
import type { HttpInstrumentationOptions } from "./http.js";
import { endRequest, endStreaming, startServed } from "./in-flight.js";
import { IncomingDescription } from "./request-attributes.js";
import { replaceOwn } from "./replace-own.js";
import { attachStreamMessage, createHttp2Server, isServedStream } from "./source-http2-server.js";
import {
  attachServed,
  attachServedMessage,
  claimMessage,
  forget,
  Served,
  servedByMessage,
  servedByResponse,
} from "./served.js";
import { endWithAnswer } from "./upgrade-answer.js";

type Emit = (this: EventEmitter, event: string, ...args: unknown[]) => boolean;
type Write = (this: ServerResponse, ...args: unknown[]) => unknown;

const ignored = new WeakSet<object>();

/** Leaves the requests to one server alone: neither traced nor counted. For an endpoint that belongs to the telemetry itself. */
export function ignoreServer(server: object): void {
  ignored.add(server);
}

/** The events by which a server hands a request to the app; Node answers what nobody listens for by itself. */
const HANDED = new Set(["request", "checkContinue", "checkExpectation", "upgrade", "connect", "stream"]);

/**
 * Hears the requests that node:http and node:https hand to the app, by `emit` of the server; their ends by `emit`
 * of the response, so that the app finds no listener that it did not add. The channels of Node tell neither the handler's
 * context nor a connection that was lost.
 */
export function hearServers(options: HttpInstrumentationOptions, guard: Guard): () => void {
  const { ignoreIncomingPaths = [], trustForwarded = false } = options;
  const wrapServer = (find: () => Emit): Emit =>
    function emit(this: EventEmitter, event: string) {
      if (HANDED.has(event) && guard.on && hasListeners() && !ignored.has(this)) {
        const runIn = event === "stream" ? beginStream(arguments[1], arguments[2]) : begin(arguments[1], arguments[2]);
        if (runIn !== undefined) {
          if (arguments.length === 3 && isBeingParsed(event, arguments[1]) && enterContext(runIn))
            return find().call(this, event, arguments[1], arguments[2]);
          // A `server.emit` of the app's may hand more to its listeners.
          if (arguments.length > 3)
            return context.with(runIn, find(), this, ...(arguments as unknown as Parameters<Emit>));
          return context.with(runIn, find(), this, event, arguments[1], arguments[2]);
        }
      }
      return Reflect.apply(find(), this, arguments);
    };
  const undo = [
    // Of all servers, as to ask for that of node:https would load it: 6 ms of CPU and 2 MB (`node --require telltale/register -e 0`: 92 to 86 ms).
    replaceMethod(Server.prototype, "emit", wrapServer),
    replaceMethod(Incoming.prototype, "emit", wrapIncoming),
    replaceMethod(ServerResponse.prototype, "emit", wrapResponse),
    // The head of a response goes out with one of these, or with its end.
    replaceMethod(ServerResponse.prototype, "write", wrapHead),
    replaceMethod(ServerResponse.prototype, "flushHeaders", wrapHead),
  ];
  const http2 = createHttp2Server(trustForwarded, guard);
  return () => undoAll([...undo, http2.stop]);

  /** The same for a stream of HTTP/2. */
  function beginStream(stream: unknown, headers: unknown): Context | undefined {
    try {
      // Others may emit an event of that name.
      if (typeof headers !== "object" || headers === null || !(":method" in headers)) return undefined;
      if (typeof stream !== "object" || stream === null || isServedStream(stream)) return undefined;
      const active = context.active();
      if (isSuppressed(active)) return undefined;
      const { ":path": path } = headers as { readonly ":path"?: string };
      return isIgnored(path ?? "") ? suppress(active) : http2.begin(stream, headers);
    } catch (error) {
      guard.failed(error);
      return undefined;
    }
  }

  /** The context to handle the request in; undefined to leave it as it is. */
  function begin(message: unknown, response: unknown): Context | undefined {
    try {
      // What others emit by hand (tests, adapters) need not be what Node makes, and nothing tells when it ends.
      if (!isOfNode(message) || !(response instanceof ServerResponse || response instanceof Socket)) {
        // Of HTTP/2, within the event of its stream.
        if (typeof message === "object" && message !== null) attachStreamMessage(message);
        return undefined;
      }
      const active = context.active();
      if (isSuppressed(active)) return undefined;
      if (isIgnored(message.url ?? "")) return suppress(active);
      // A `checkContinue` handler hands the request on by emitting it again.
      return claimMessage(message) ? serve(message, response) : undefined;
    } catch (error) {
      guard.failed(error);
      return undefined;
    }
  }

  function serve(message: IncomingMessage, response: ServerResponse | Socket): Context {
    const parent = propagation.extract(ROOT_CONTEXT, message.headers);
    const operation = startServed(new IncomingDescription(message, trustForwarded), parent);
    const runIn = contextOf(operation);
    if (response instanceof Socket) {
      attachServedMessage(message, new Served(operation, undefined, runIn));
      endWithAnswer(operation, response, guard);
      return runIn;
    }
    const here = new Served(operation, response, runIn);
    attachServed(message, response, here);
    if (!HEARS_LOSS && response.socket === null && message.socket instanceof Socket)
      endWithSocket(here, message.socket, guard);
    return runIn;
  }

  function isIgnored(url: string): boolean {
    if (ignoreIncomingPaths.length === 0) return false;
    const [path = ""] = url.split("?", 1);
    return ignoreIncomingPaths.some((wanted) =>
      typeof wanted === "string" ? wanted === path : path.search(wanted) >= 0,
    );
  }

  function wrapResponse(find: () => Emit): Emit {
    return function emit(this: EventEmitter, event: string) {
      const isEnd = event === "finish" || event === "close";
      const listeners = this.listenerCount(event);
      // Most events of a message have no listener: to look no further saves 1 µs a request.
      const here = isEnd || listeners > 0 ? servedByResponse(this) : undefined;
      // A call that V8 can inline; most events have no arguments.
      if (here === undefined)
        return arguments.length === 1 ? find().call(this, event) : Reflect.apply(find(), this, arguments);
      try {
        // Node's own listener does not care where it runs.
        const isHeard = listeners > (event === "finish" ? here.ownFinishListeners : 0);
        if (!isHeard && arguments.length === 1) return find().call(this, event);
        if (!isHeard || activeRequest() === here.request) return Reflect.apply(find(), this, arguments);
        return context.with(here.context, find(), this, ...(arguments as unknown as Parameters<Emit>));
      } finally {
        // After the app's own listeners, which may still add to the span. Of the two events the first ends it.
        if (isEnd) end(here, guard);
      }
    };
  }

  function wrapHead(find: () => Write): Write {
    return function write(this: ServerResponse) {
      const result = Reflect.apply(find(), this, arguments);
      const here = servedByResponse(this);
      if (here === undefined || here.isHeadSeen) return result;
      try {
        if (!this.headersSent) return result;
        here.isHeadSeen = true;
        if (isEventStream(typeOf(this))) end(here, guard, true);
      } catch {
        // A getter of the app's own has thrown.
      }
      return result;
    };
  }
}

/**
 * Whether Node's parser hands the message over, in a callback of its own: it ends with that, and what is active in it as well. An app may
 * hand it on later, in a timer or after an `await` of its own, while the parser still has the message.
 */
function isBeingParsed(event: string, message: unknown): boolean {
  if (event !== "request") return false;
  const { socket } = message as IncomingMessage;
  const { parser } = socket as Socket & { readonly parser?: { readonly incoming?: unknown } };
  // Node's `HTTPServerAsyncResource`, on 22 to 26.
  return parser?.incoming === message && (executionAsyncResource() as { readonly socket?: unknown }).socket === socket;
}

/** With the connection that it came by. */
function isOfNode(message: unknown): message is IncomingMessage {
  return message instanceof Incoming && (message.socket as Socket | null | undefined) != null;
}

/** The content type of a response whose head is written: given to `writeHead` it stands nowhere else. */
function typeOf(response: ServerResponse): string | undefined {
  const { _header: head } = response as ServerResponse & { readonly _header?: string };
  return head === undefined ? undefined : /^content-type:(.*)$/im.exec(head)?.[1];
}

/** The body arrives in the context of the connection: what listens for it belongs to the request all the same. */
function wrapIncoming(find: () => Emit): Emit {
  return function emit(this: EventEmitter, event: string) {
    const listeners = this.listenerCount(event);
    const here = listeners > 0 ? servedByMessage(this) : undefined;
    if (here === undefined || isNodesEnd(this, event, listeners, here) || activeRequest() === here.request)
      return arguments.length === 1 ? find().call(this, event) : Reflect.apply(find(), this, arguments);
    return context.with(here.context, find(), this, ...(arguments as unknown as Parameters<Emit>));
  };
}

/** What Node listens with for the end of a body that nobody has read, after the response; of that name on 22 to 26. */
let clearIncoming: unknown;

/** Heard by Node itself alone, which does not care where it runs: to enter a context takes 1 µs. */
function isNodesEnd(message: EventEmitter, event: string, listeners: number, { operation }: Served): boolean {
  if (event !== "end" || listeners !== 1 || operation.endMs === 0) return false;
  const [listener] = message.listeners(event);
  if (clearIncoming === undefined && listener?.name === "clearIncoming") clearIncoming = listener;
  return listener === clearIncoming;
}

const HEARS_LOSS = Number.parseInt(process.versions.node, 10) >= 24;
/** Pipelined responses that have not had their turn, by connection. */
const queues = new WeakMap<Socket, Set<Served>>();

/**
 * Before Node 24 a response that waits for its turn hears nothing when the connection is lost. Where it does hear of it, no list is kept:
 * the tables that a Set outgrows keep its requests alive beyond their scavenge.
 */
function endWithSocket(here: Served, socket: Socket, guard: Guard): void {
  const queue = queues.get(socket) ?? new Set();
  here.queue = queue.add(here);
  if (queues.has(socket)) return;
  queues.set(socket, queue);
  // By no listener, which the app would find.
  const undo = replaceOwn<Emit>(
    socket,
    "emit",
    (find) =>
      function emit(event) {
        try {
          return Reflect.apply(find(), this, arguments);
        } finally {
          if (event === "close") {
            undo();
            for (const waiting of queue) end(waiting, guard);
          }
        }
      },
  );
}

/** The response has ended, or its head is all that counts of it. */
function end(here: Served, guard: Guard, isStreaming = false): void {
  const { operation, response } = here;
  if (operation.endMs !== 0) {
    endStreaming(operation);
    return;
  }
  if (response === undefined) return;
  operation.isStreaming = isStreaming;
  try {
    forget(here);
    here.queue?.delete(here);
    try {
      noteOutcome(operation, response);
    } catch {
      // A getter of the app's own has thrown.
    }
    // A client that leaves after the status (the usual end of an event stream) is no failure.
    if (operation.statusCode === 0) operation.errorType ??= "aborted";
    endRequest(operation);
  } catch (error) {
    guard.failed(error);
  }
}

function noteOutcome(operation: HttpServerOperation, response: ServerResponse): void {
  const { headersSent, statusCode } = response;
  operation.statusCode = headersSent ? statusCode : 0;
  if (headersSent && statusCode >= 500) {
    operation.errorType = String(statusCode);
    return;
  }
  const { errored } = response;
  // The app destroyed it; with ECONNRESET it was Node, as the connection was lost.
  if (errored && (errored as NodeJS.ErrnoException).code !== "ECONNRESET") failOperation(operation, errored);
}
