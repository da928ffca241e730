import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { context, propagation, type TextMapSetter } from "@opentelemetry/api";
import {
  Attached,
  contextOf,
  endOperation,
  failOperation,
  type Guard,
  hasListeners,
  type HttpClientOperation,
  isSuppressed,
  siteKeyOf,
  sitesWanted,
  siteWanted,
  startHttpClientOperation,
  takeSite,
  undoAll,
} from "@telltale/core";
import { defaultPort, describeOutgoing } from "./request-attributes.js";

/** What is used of undici's `Request`, equal on Node 22, 24 and 26. */
interface UndiciRequest {
  readonly origin: string | URL;
  readonly path: string;
  readonly method: string;
  /** Names and values in turn; before undici 6 the text of the headers. */
  readonly headers: string | unknown[];
  addHeader(name: string, value: string): unknown;
}

interface UndiciEvent {
  readonly request: UndiciRequest;
  readonly response?: { readonly statusCode: number };
  readonly error?: unknown;
}

class SentRequest extends Attached {
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
    else new SentRequest(target, operation);
  }
}

/** Sets a header; one that the app has set is replaced, as it is with node:http: sent twice it would count as none. */
const headers: TextMapSetter<UndiciRequest> = {
  set(request, name, value) {
    const { headers: list } = request;
    const at = Array.isArray(list)
      ? list.findIndex((item, n) => n % 2 === 0 && String(item).toLowerCase() === name)
      : -1;
    if (Array.isArray(list) && at >= 0) list[at + 1] = value;
    else request.addHeader(name, value);
  },
};

/** Hears the global `fetch` and every other copy of undici by the channels it publishes to; each redirect is a request. */
export function hearFetch(guard: Guard): () => void {
  const heard: [channel: string, hear: (event: UndiciEvent) => void][] = [
    ["undici:request:create", begin],
    ["undici:request:headers", hearStatus],
    ["undici:request:trailers", ({ request }) => end(request)],
    ["undici:request:error", ({ request, error }) => end(request, error)],
  ];
  const undo = heard.map(([channel, hear]) => {
    const listener = (event: unknown): void => {
      if (!guard.on) return;
      try {
        hear(event as UndiciEvent);
      } catch (error) {
        guard.failed(error);
      }
    };
    subscribe(channel, listener);
    return () => unsubscribe(channel, listener);
  });
  return () => {
    undoAll(undo);
  };
}

function begin({ request }: UndiciEvent): void {
  const parent = context.active();
  if (!hasListeners() || isSuppressed(parent) || SentRequest.get(request) !== undefined) return;
  const { protocol, host, port } = serverOf(request.origin);
  const { method, path } = request;
  const operation = startHttpClientOperation(describeOutgoing({ method, protocol, host, port, path }), parent);
  SentRequest.set(request, operation);
  if (sitesWanted()) {
    const key = siteKeyOf(operation);
    if (siteWanted(key)) operation.takenSite = takeSite(key, begin);
  }
  propagation.inject(contextOf(operation), request, headers);
}

interface Server {
  readonly origin: string | URL;
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}
let lastServer: Server | undefined;

function serverOf(origin: string | URL): Server {
  // Often the same as for the request before (1 µs without).
  if (lastServer?.origin === origin) return lastServer;
  const { protocol, hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  lastServer = { origin, protocol, host, port: port === "" ? defaultPort(protocol) : Number(port) };
  return lastServer;
}

function hearStatus({ request, response }: UndiciEvent): void {
  const operation = SentRequest.get(request);
  if (operation === undefined || response === undefined || operation.endMs !== 0) return;
  operation.statusCode = response.statusCode;
  if (response.statusCode >= 400) operation.errorType = String(response.statusCode);
}

function end(request: UndiciRequest, error?: unknown): void {
  const operation = SentRequest.get(request);
  if (operation === undefined) return;
  if (error !== undefined) failOperation(operation, error);
  endOperation(operation);
}
