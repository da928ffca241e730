import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { type Context, context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import {
  contextOf,
  endOperation,
  type Guard,
  hasListeners,
  type HttpServerOperation,
  isSuppressed,
  type Request,
  startHttpServerOperation,
} from "@telltale/core";
import { describeIncoming } from "./request-attributes.js";

const ignoredServers = new WeakSet<object>();
const requests = new WeakMap<object, Request>();

/** The request of a message that is being served. */
export function requestOf(message: object): Request | undefined {
  return requests.get(message);
}

/** Requests to this server are neither traced nor counted: it is Telltale's own. */
export function ignoreServer(server: object): void {
  ignoredServers.add(server);
}

/** Paths that are neither traced nor counted, such as health checks. */
export type PathFilter = readonly (string | RegExp)[];

type Emit = (this: object, event: string | symbol, ...args: unknown[]) => boolean;
interface Emitting {
  emit: Emit;
}
/** Events that hand a request to the app. `upgrade` and `connect` are no requests with a response. */
const REQUEST_EVENTS = new Set<string | symbol>(["request", "checkContinue", "checkExpectation"]);

/**
 * Hears incoming requests by wrapping `emit` of the servers. `emit` of the message objects is wrapped too: past the first
 * chunk of a body Node emits on them outside of the handler's context ('data' and 'end' of a POST, seen on 22, 24 and 26).
 * Returns what undoes it.
 */
export function hearServer(guard: Guard, ignoredPaths: PathFilter): () => void {
  const contexts = new WeakMap<object, Context>();
  const undo = [
    wrapEmit(http.Server.prototype, (original) => serverEmit(original, guard, ignoredPaths, contexts)),
    wrapEmit(https.Server.prototype, (original) => serverEmit(original, guard, ignoredPaths, contexts)),
    wrapEmit(http.IncomingMessage.prototype, (original) => messageEmit(original, contexts)),
    wrapEmit(http.ServerResponse.prototype, (original) => messageEmit(original, contexts)),
  ];
  return () => {
    for (const step of undo) step();
  };
}

function wrapEmit(prototype: object, wrap: (original: Emit) => Emit): () => void {
  const target = prototype as Emitting;
  const own = Object.hasOwn(target, "emit");
  const original = target.emit;
  const wrapped = wrap(original);
  target.emit = wrapped;
  return () => {
    if (target.emit !== wrapped) return;
    if (own) target.emit = original;
    else Reflect.deleteProperty(target, "emit");
  };
}

function serverEmit(original: Emit, guard: Guard, ignoredPaths: PathFilter, contexts: WeakMap<object, Context>): Emit {
  return function emit(this: object, event, ...args) {
    if (!REQUEST_EVENTS.has(event) || !guard.on || !hasListeners() || ignoredServers.has(this)) {
      return original.call(this, event, ...args);
    }
    let running: Context | undefined;
    try {
      const [request, response] = args as [http.IncomingMessage, http.ServerResponse];
      running = startRequest(request, response, ignoredPaths, contexts);
    } catch (error) {
      guard.failed(error);
    }
    return running === undefined
      ? original.call(this, event, ...args)
      : context.with(running, original, this, event, ...args);
  };
}

function messageEmit(original: Emit, contexts: WeakMap<object, Context>): Emit {
  return function emit(this: object, event, ...args) {
    const own = contexts.get(this);
    return own === undefined || own === context.active()
      ? original.call(this, event, ...args)
      : context.with(own, original, this, event, ...args);
  };
}

function startRequest(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  ignoredPaths: PathFilter,
  contexts: WeakMap<object, Context>,
): Context | undefined {
  // Server objects that wrap each other (a proxy that emits 'request' on) hand the same request over twice.
  if (contexts.has(request) || isSuppressed(context.active())) return undefined;
  if (ignoredPaths.length > 0 && isIgnored(request.url ?? "/", ignoredPaths)) return undefined;
  const { socket } = request;
  const operation = startHttpServerOperation(
    describeIncoming({
      method: request.method,
      url: request.url,
      httpVersion: request.httpVersion,
      headers: request.headers,
      encrypted: (socket as Socket & { encrypted?: boolean }).encrypted === true,
      remoteAddress: socket.remoteAddress,
      localPort: socket.localPort,
    }),
    propagation.extract(ROOT_CONTEXT, request.headers),
  );
  const running = contextOf(operation);
  if (operation.request !== undefined) requests.set(request, operation.request);
  contexts.set(request, running);
  contexts.set(response, running);
  // 'close' follows 'finish', and comes alone when the connection was lost: one listener hears every end.
  response.once("close", () => endRequest(operation, response));
  return running;
}

function endRequest(operation: HttpServerOperation, response: http.ServerResponse): void {
  if (response.headersSent) operation.statusCode = response.statusCode;
  // A client that leaves in the middle of a stream is no failure of the server; one that never got an answer may be.
  else operation.errorType = "aborted";
  if (operation.statusCode >= 500) operation.errorType = String(operation.statusCode);
  endOperation(operation);
}

function isIgnored(url: string, ignoredPaths: PathFilter): boolean {
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  return ignoredPaths.some((ignored) => (typeof ignored === "string" ? ignored === path : ignored.test(path)));
}
