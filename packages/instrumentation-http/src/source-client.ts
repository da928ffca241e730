import { ClientRequest, IncomingMessage } from "node:http";
import { context, type Context, propagation, type TextMapSetter } from "@opentelemetry/api";
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
import { hearChannel } from "./channel.js";
import { isEventStream } from "./event-stream.js";
import { endRequest, startSent } from "./in-flight.js";
import { noteSocket } from "./source-agent.js";
import { defaultPort, describeOutgoing } from "./request-attributes.js";
import { parseAuthority } from "./url.js";

type Emit = (this: object, event: string, ...args: unknown[]) => boolean;

/** Found by the request and by its response. */
class SentMessage extends Attached {
  #operation: HttpClientOperation;

  constructor(target: object, operation: HttpClientOperation) {
    super(target);
    this.#operation = operation;
  }

  static get(target: object): HttpClientOperation | undefined {
    return #operation in target ? target.#operation : undefined;
  }

  static set(target: object, operation: HttpClientOperation): void {
    if (#operation in target) target.#operation = operation;
    // oxlint-disable-next-line no-new
    else new SentMessage(target, operation);
  }
}

/**
 * Hears what is sent with node:http and node:https. A request's beginning comes from Node's channel, whatever made it (`request`,
 * `get`, an `import` of them, `new ClientRequest`), in the caller's context and before a byte is sent; its end comes from `emit`
 * of the request and the response, so that no listener is added: an `error` that nobody listens for must stay uncaught.
 */
export function hearClients(guard: Guard): () => void {
  function created({ request }: { request: ClientRequest }): void {
    if (!guard.on || !hasListeners()) return;
    const parent = context.active();
    if (!isSuppressed(parent)) begin(request, parent);
  }

  const wrapRequest = (find: () => Emit): Emit =>
    function emit(this: object, event: string) {
      const operation = SentMessage.get(this);
      if (operation !== undefined && operation.endMs === 0) {
        try {
          hear(event, arguments[1], this as ClientRequest, operation);
        } catch (error) {
          guard.failed(error);
        }
      }
      return Reflect.apply(find(), this, arguments);
    };

  const wrapResponse = (find: () => Emit): Emit =>
    function emit(this: object, event: string) {
      // A message that the app serves has no status, nor an operation of ours: to ask it for that takes 300 instructions.
      if (event === "end" && (this as { readonly statusCode?: unknown }).statusCode !== null) {
        const operation = SentMessage.get(this);
        if (operation !== undefined) endRequest(operation);
      }
      return Reflect.apply(find(), this, arguments);
    };

  const undo = [
    hearChannel("http.client.request.created", guard, created),
    replaceMethod(ClientRequest.prototype, "emit", wrapRequest),
    replaceMethod(IncomingMessage.prototype, "emit", wrapResponse),
  ];
  return () => undoAll(undo);
}

const headers: TextMapSetter<ClientRequest> = { set: (request, name, value) => void request.setHeader(name, value) };

function begin(request: ClientRequest, parent: Context): void {
  if (SentMessage.get(request) !== undefined) return;
  const { method, path, host, protocol, socketPath } = request as ClientRequest & { socketPath?: string };
  // The port stands nowhere but in the Host header. Where the app has set that to another name, it is not known.
  const named = parseAuthority(hostHeader(request));
  const port = named.address === host ? (named.port ?? defaultPort(protocol)) : undefined;
  const operation = startSent(describeOutgoing({ method, protocol, host, port, path, socketPath }), parent);
  SentMessage.set(request, operation);
  if (sitesWanted()) {
    const key = siteKeyOf(operation);
    if (siteWanted(key)) operation.takenSite = takeSite(key, begin);
  }
  // Headers given as an array are already written.
  if (!request.headersSent) propagation.inject(contextOf(operation), request, headers);
}

function hostHeader(request: ClientRequest): string | undefined {
  const value = request.getHeader("host");
  return typeof value === "string" ? value : undefined;
}

/** To ask for `headers` would have them all parsed. */
function typeOf(rawHeaders: readonly string[]): string | undefined {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 12 && name.toLowerCase() === "content-type") return rawHeaders[at + 1];
  }
  return undefined;
}

function hear(event: string, subject: unknown, request: ClientRequest, operation: HttpClientOperation): void {
  switch (event) {
    case "socket":
      noteSocket(subject, operation.startMs);
      return;
    case "response":
    case "upgrade":
    case "connect": {
      // Who emits it by hand (tests) need not have made what Node makes.
      if (typeof subject !== "object" || subject === null) return;
      const { statusCode = 0, httpVersion, rawHeaders = [] } = subject as Partial<IncomingMessage>;
      operation.statusCode = statusCode;
      operation.protocolVersion = httpVersion;
      if (statusCode >= 400) operation.errorType = String(statusCode);
      // After an upgrade the connection is no longer HTTP's.
      if (event === "response") SentMessage.set(subject, operation);
      if (event !== "response" || isEventStream(typeOf(rawHeaders))) endRequest(operation);
      return;
    }
    case "error":
      failOperation(operation, subject);
      // `close` need not follow: an error that nobody listens for is thrown by `emit`.
      endRequest(operation);
      return;
    case "close": {
      // Node closes a request whose response was never read, too. `errored` is set when the connection was lost before the
      // whole body came; an app that stops reading has not failed.
      const { res } = request as ClientRequest & { res?: IncomingMessage | null };
      try {
        if (res?.complete === false && res.errored) failOperation(operation, res.errored);
      } catch {
        // A getter of the app's own has thrown.
      }
      if (operation.statusCode === 0) operation.errorType ??= "aborted";
      endRequest(operation);
    }
  }
}
