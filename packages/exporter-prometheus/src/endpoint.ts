import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { sayOnce } from "@telltale/core";
import { type Format, takesGzip } from "./negotiate.js";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface HandlerParts {
  negotiate(accept: string | undefined): Format;
  scrape(format: Format): Promise<AsyncIterable<Uint8Array>>;
}

const MAX_CONNECTIONS = 32;
const IDLE_MS = 5_000;
/** Pages in the making or on their way. One connection can ask for thousands at once, and each holds all series for itself. */
export const MAX_PAGES = 8;
/** Who reads a little now and then is never idle. */
const MAX_PAGE_MS = 60_000;

/** Answers every GET with a page, whatever the path, and HEAD without making one. */
export function createHandler({ negotiate, scrape }: HandlerParts): Handler {
  let pages = 0;
  return (request, response) => {
    if (refuseMethod(request, response, "Metrics are")) return;
    const format = negotiate(request.headers.accept);
    const compress = takesGzip(request.headers["accept-encoding"] as string | undefined);
    const headers = {
      "content-type": format.contentType,
      ...(compress && { "content-encoding": "gzip" }),
      vary: "accept, accept-encoding",
    };
    if (request.method === "HEAD") {
      response.writeHead(200, headers).end();
      return;
    }
    if (pages >= MAX_PAGES) {
      refuse(response, 503, `Metrics are being read ${pages} times already.`);
      return;
    }
    pages++;
    scrape(format)
      .then((chunks) => {
        // Whoever asked may have gone meanwhile; then there is nobody to tell.
        if (response.destroyed) return undefined;
        response.writeHead(200, headers);
        const until = { signal: AbortSignal.timeout(MAX_PAGE_MS) };
        return compress ? pipeline(chunks, createGzip(), response, until) : pipeline(chunks, response, until);
      })
      .catch((error: unknown) => {
        if (!response.headersSent) refuse(response, 503, `Metrics cannot be read: ${messageOf(error)}`);
        else if (!isGone(error)) sayOnce("error", `a page of metrics broke off: ${messageOf(error)}`);
      })
      .finally(() => pages--);
  };
}

/** Refuses what does not read; false where it does. */
export function refuseMethod({ method }: IncomingMessage, response: ServerResponse, what: string): boolean {
  if (method === "GET" || method === "HEAD") return false;
  refuse(response.setHeader("allow", "GET, HEAD"), 405, `${what} read with GET.`);
  return true;
}

/**
 * Compresses in the threads of libuv. Level 1: pages are so repetitive that the default, at three times the CPU, saves little.
 * The module takes milliseconds to load and is seldom there yet.
 */
export function createGzip(): NodeJS.ReadWriteStream {
  return process.getBuiltinModule("node:zlib").createGzip({ level: 1 });
}

/** The scraper closed the connection, which is its right, or took too long. */
function isGone(error: unknown): boolean {
  const { code = "" } = error as NodeJS.ErrnoException;
  return ["ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED", "ECONNRESET", "EPIPE", "ABORT_ERR"].includes(code);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What is served at one path. */
export interface Served {
  readonly path: string;
  readonly handler: Handler;
}

/** A server with metrics at one path, and maybe a page at another. It has limits on all that it takes in, and nothing of it keeps the process alive. */
export function createEndpoint(metrics: Served, page: Served | undefined): Server {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000, maxHeaderSize: 8_192 },
    (request, response) => {
      const [asked] = (request.url ?? "").split("?", 1);
      if (asked === metrics.path) metrics.handler(request, response);
      else if (asked === page?.path) page?.handler(request, response);
      else refuse(response, 404, `Metrics are at ${metrics.path}`);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  // Who does not read on would hold one of the connections for ever.
  server.timeout = IDLE_MS;
  server.on("connection", (socket) => socket.unref());
  return server.unref();
}

export function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}
