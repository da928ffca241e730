import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { sayOnce } from "@telltale/core";
import { takesGzip } from "./negotiate.js";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A page for one who asks. */
export interface Answer {
  readonly headers: OutgoingHttpHeaders;
  make(): Promise<AsyncIterable<Uint8Array> | Iterable<string>>;
}

/** Pages in the making or on their way. One connection can ask for thousands at once, and each holds all that is on it for itself. */
const MAX_PAGES = 8;
/** Who reads a little now and then is never idle. */
const MAX_PAGE_MS = 60_000;

/** How what is on a page is spoken of: `Metrics`, `are`. */
interface Spoken {
  readonly subject: string;
  readonly verb: string;
}

/** Answers every GET with a page, compressed where it is liked, and HEAD without making one. */
export function answerPages({ subject, verb }: Spoken, answerTo: (request: IncomingMessage) => Answer): Handler {
  let pages = 0;
  return (request, response) => {
    const { method, headers: asked } = request;
    if (method !== "GET" && method !== "HEAD") {
      refuse(response.setHeader("allow", "GET, HEAD"), 405, `${subject} ${verb} read with GET.`);
      return;
    }
    const answer = answerTo(request);
    const compress = takesGzip(asked["accept-encoding"] as string | undefined);
    const headers = { ...answer.headers, ...(compress && { "content-encoding": "gzip" }) };
    if (method === "HEAD") {
      response.writeHead(200, headers).end();
      return;
    }
    if (pages >= MAX_PAGES) {
      refuse(response, 503, `${subject} ${verb} being read ${pages} times already.`);
      return;
    }
    pages++;
    answer
      .make()
      .then((chunks) => {
        // Whoever asked may have gone meanwhile; then there is nobody to tell.
        if (response.destroyed) return undefined;
        response.writeHead(200, headers);
        const until = { signal: AbortSignal.timeout(MAX_PAGE_MS) };
        return compress ? pipeline(chunks, createGzip(), response, until) : pipeline(chunks, response, until);
      })
      .catch((error: unknown) => {
        if (!response.headersSent) refuse(response, 503, `${subject} cannot be read: ${messageOf(error)}`);
        else if (!isGone(error)) sayOnce("error", `an answer of the metrics endpoint broke off: ${messageOf(error)}`);
      })
      .finally(() => pages--);
  };
}

export function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}

/**
 * Compresses in the threads of libuv. Level 1: pages are so repetitive that the default, at three times the CPU, saves little.
 * The module takes milliseconds to load and is seldom there yet.
 */
function createGzip(): NodeJS.ReadWriteStream {
  return process.getBuiltinModule("node:zlib").createGzip({ level: 1 });
}

/** The scraper closed the connection, which is its right, or took too long. */
function isGone(error: unknown): boolean {
  const { code = "" } = error as NodeJS.ErrnoException;
  return ["ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED", "ECONNRESET", "EPIPE", "ABORT_ERR"].includes(code);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
