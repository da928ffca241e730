import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { createGzip, type Handler, MAX_PAGES, messageOf, refuse, refuseMethod } from "./endpoint.js";
import { takesGzip } from "./negotiate.js";

/** A page of JSON beside the metrics, of which each process has a part. */
export interface SidePage {
  /** `/findings`. */
  readonly path: string;
  /** Who may read it: this machine, wherever the metrics are bound, or whoever reads those. */
  readonly audience: "local" | "all";
  /** Where `audience` is set, for who is refused. */
  readonly option: string;
  /** What this process has, as JSON of no more than `MAX_PART_BYTES`. */
  read(): string;
  /** One text of JSON of all parts, that of this process first, and of how many processes did not answer. */
  write(parts: readonly string[], silent: number): string;
}

/** What one process may add to a page, and all others together. */
export const MAX_PART_BYTES = 128 * 1024;
export const MAX_PARTS_BYTES = 16 * 1024 * 1024;

/** The parts of the other processes. */
export interface Parts {
  readonly parts: readonly string[];
  /** Processes that have not answered in time, or had too much to say. */
  readonly silent: number;
}

/** Answers with the page as the metrics are answered with: GET and HEAD, compressed where it is liked. */
export function createPageHandler(page: SidePage, gather: () => Promise<Parts>): Handler {
  async function answer(): Promise<string> {
    const { parts, silent } = await gather();
    return page.write([page.read(), ...parts], silent);
  }
  let pages = 0;
  return (request, response) => {
    if (page.audience === "local" && !isLocal(request)) {
      const cure = `read it there, or set ${page.option} to "all"`;
      refuse(response, 403, `This is shown to the machine it comes from only: ${cure}.`);
      return;
    }
    if (refuseMethod(request, response, "This is")) return;
    const compress = takesGzip(request.headers["accept-encoding"] as string | undefined);
    const headers = {
      "content-type": "application/json; charset=utf-8",
      ...(compress && { "content-encoding": "gzip" }),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      vary: "accept-encoding",
    };
    if (request.method === "HEAD") {
      response.writeHead(200, headers).end();
      return;
    }
    if (pages >= MAX_PAGES) {
      refuse(response, 503, `This is being read ${pages} times already.`);
      return;
    }
    pages++;
    response.once("close", () => pages--);
    answer()
      .then((text) => {
        if (response.destroyed) return;
        response.writeHead(200, headers);
        if (!compress) {
          response.end(text);
          return;
        }
        const gzip = createGzip();
        gzip.pipe(response);
        gzip.end(text);
      })
      .catch((error: unknown) => {
        if (!response.headersSent) refuse(response, 503, `It cannot be read: ${messageOf(error)}`);
      });
  };
}

/**
 * Whether who asks is on this machine and means this machine: not through a proxy, which is on this machine for all it serves, and not in
 * the name of a page in a browser, whose host's name leads here.
 */
function isLocal({ socket, headers }: IncomingMessage): boolean {
  if (headers.forwarded !== undefined || headers["x-forwarded-for"] !== undefined || headers.via !== undefined) {
    return false;
  }
  const host = /^(\[[^\]]*\]|[^:]*)/.exec(headers.host ?? "")?.[0] ?? "";
  return isLoopback(socket.remoteAddress ?? "") && (host === "localhost" || isLoopback(host.replace(/^\[|\]$/g, "")));
}

function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  return plain === "::1" || (isIP(plain) === 4 && plain.startsWith("127."));
}
