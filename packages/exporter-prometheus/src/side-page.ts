import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { answerPages, type Handler, refuse } from "./answer-pages.js";

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

/** Answers with the page, as the metrics are answered with, whom it is for. */
export function createPageHandler(page: SidePage, gather: () => Promise<Parts>): Handler {
  const answer = answerPages({ subject: "This", verb: "is" }, () => ({
    headers: {
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      vary: "accept-encoding",
    },
    async make() {
      const { parts, silent } = await gather();
      return [page.write([page.read(), ...parts], silent)];
    },
  }));
  return (request, response) => {
    if (page.audience === "all" || isLocal(request)) {
      answer(request, response);
      return;
    }
    const cure = `read it there, or set ${page.option} to "all"`;
    refuse(response, 403, `This is shown to the machine it comes from only: ${cure}.`);
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
