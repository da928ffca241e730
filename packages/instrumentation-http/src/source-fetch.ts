import { context, propagation, type TextMapSetter } from "@opentelemetry/api";
import {
  annotateOperation,
  Attached,
  contextOf,
  failOperation,
  type Guard,
  hasListeners,
  type HttpClientOperation,
  isSuppressed,
  limitOf,
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
import { expectRedirect, resendOf } from "./redirects.js";
import { describeOutgoing, partsOf } from "./request-attributes.js";
import { type Sending, takeSending } from "./sending.js";
import { findGlobalPools, noteWait } from "./undici-pools.js";

/** What is used of undici's `Request`, equal in undici 5 to 8, of which Node 22, 24 and 26 carry one each. */
interface UndiciRequest {
  readonly origin: string | URL;
  readonly path: string;
  readonly method: string;
  /** Names and values in turn; before undici 6 the text of the headers. */
  readonly headers: string | unknown[];
  /** The protocol that the connection is wanted for. */
  readonly upgrade?: string | null;
  addHeader(name: string, value: string): unknown;
}

interface UndiciResponse {
  readonly statusCode: number;
  /** Names and values in turn; an object for what comes over HTTP/2. */
  readonly headers: readonly (Buffer | string)[] | NodeJS.Dict<string | string[]>;
}

interface UndiciEvent {
  readonly request: UndiciRequest;
  readonly response?: UndiciResponse;
  readonly error?: unknown;
}

type OnUpgrade = (this: UndiciRequest, status: number | null, ...args: unknown[]) => unknown;

/** A program that loads undici over and over. */
const MAX_COPIES = 100;
const unheard = limitOf("http.undici_copies");

class SentRequest extends Attached {
  #operation: HttpClientOperation;
  /** What it belongs to, where that waits for a connection of a pool. */
  #sending: Sending | undefined;

  constructor(target: object, operation: HttpClientOperation, sending: Sending | undefined) {
    super(target);
    this.#operation = operation;
    this.#sending = sending;
  }

  static sendingOf(target: object): Sending | undefined {
    return #sending in target ? target.#sending : undefined;
  }

  static get(target: object): HttpClientOperation | undefined {
    return #operation in target ? target.#operation : undefined;
  }

  static set(target: object, operation: HttpClientOperation, sending: Sending | undefined): void {
    // oxlint-disable-next-line no-new
    new SentRequest(target, operation, sending);
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

/** Hears the global `fetch` and every other copy of undici by the channels it publishes to; each redirect and retry is a request. */
export function hearFetch(guard: Guard): () => void {
  const upgrading = new Map<object, () => void>();

  /** No channel tells of an upgrade's answer, but in the newest undici. */
  function hearUpgrade(request: UndiciRequest): void {
    if (!request.upgrade && request.method !== "CONNECT") return;
    const requests = Object.getPrototypeOf(request) as object;
    if (upgrading.has(requests)) return;
    if (upgrading.size >= MAX_COPIES) {
      unheard.total += 1;
      return;
    }
    const name = "onRequestUpgrade" in requests ? "onRequestUpgrade" : "onUpgrade";
    const undo = replaceMethod<OnUpgrade>(
      requests,
      name,
      (find) =>
        function onUpgrade(this: UndiciRequest, status) {
          try {
            const operation = SentRequest.get(this);
            if (operation !== undefined) {
              noteStatus(operation, status ?? 0);
              endRequest(operation);
            }
          } catch (error) {
            guard.failed(error);
          }
          return Reflect.apply(find(), this, arguments);
        },
    );
    upgrading.set(requests, undo);
  }

  const heard: [channel: string, hear: (event: UndiciEvent) => void][] = [
    [
      "undici:request:create",
      ({ request }) => {
        if (guard.on && begin(request)) hearUpgrade(request);
      },
    ],
    ["undici:client:connected", () => guard.on && findGlobalPools()],
    ["undici:client:sendHeaders", ({ request }) => noteWait(SentRequest.sendingOf(request))],
    ["undici:request:headers", hearStatus],
    ["undici:request:trailers", ({ request }) => end(request)],
    ["undici:request:error", ({ request, error }) => end(request, error)],
  ];
  const undo = heard.map(([channel, hear]) => hearChannel(channel, guard, hear));
  return () => undoAll([...undo, ...upgrading.values()]);
}

/** False where it is not recorded. */
function begin(request: UndiciRequest): boolean {
  const sending = takeSending();
  const parent = sending?.context ?? context.active();
  if (!hasListeners() || isSuppressed(parent) || SentRequest.get(request) !== undefined) return false;
  const { protocol, host, port } = serverOf(request.origin);
  const { method, path } = request;
  const operation = startSent(describeOutgoing({ method, protocol, host, port, path }), parent);
  SentRequest.set(request, operation, sending);
  if (sitesWanted()) {
    const key = siteKeyOf(operation);
    if (siteWanted(key)) operation.takenSite = takeSite(key, begin);
  }
  const resends = Math.max(sending?.resends ?? 0, resendOf(operation));
  if (resends > 0) annotateOperation(operation, "http.request.resend_count", resends);
  propagation.inject(contextOf(operation), request, headers);
  return true;
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
  lastServer = { origin, ...partsOf(origin) };
  return lastServer;
}

function hearStatus({ request, response }: UndiciEvent): void {
  const operation = SentRequest.get(request);
  if (operation === undefined || response === undefined || operation.endMs !== 0) return;
  const { statusCode } = response;
  noteStatus(operation, statusCode);
  if (statusCode >= 300 && statusCode < 400) expectRedirect(operation, headerOf(response, "location"));
  // It may go on for ever.
  else if (isEventStream(headerOf(response, "content-type"))) endRequest(operation);
}

function noteStatus(operation: HttpClientOperation, statusCode: number): void {
  operation.statusCode = statusCode;
  if (statusCode >= 400) operation.errorType = String(statusCode);
}

function headerOf({ headers: list }: UndiciResponse, name: string): string | undefined {
  if (!Array.isArray(list)) return String((list as NodeJS.Dict<string | string[]>)[name] ?? "");
  for (let at = 0; at < list.length; at += 2) {
    const found = list[at] as Buffer | string;
    // Most have another length, and need not be made a text.
    if (found.length === name.length && String(found).toLowerCase() === name) return String(list[at + 1]);
  }
  return undefined;
}

function end(request: UndiciRequest, error?: unknown): void {
  const operation = SentRequest.get(request);
  if (operation === undefined) return;
  if (error !== undefined) failOperation(operation, error);
  endRequest(operation);
}
