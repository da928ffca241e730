import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { TEXT_CONTENT_TYPE } from "./text-format.js";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const MAX_CONNECTIONS = 32;

/** Answers every GET with a page, whatever the path, and HEAD without making one. */
export function createHandler(scrape: () => Promise<Iterable<string>>): Handler {
  return (request, response) => {
    if (request.method === "HEAD") {
      response.writeHead(200, { "content-type": TEXT_CONTENT_TYPE }).end();
      return;
    }
    if (request.method !== "GET") {
      refuse(response.setHeader("allow", "GET, HEAD"), 405, "Metrics are read with GET.");
      return;
    }
    scrape()
      .then((chunks) => {
        // Whoever asked may have gone meanwhile; then there is nobody to tell.
        if (response.destroyed) return;
        response.writeHead(200, { "content-type": TEXT_CONTENT_TYPE });
        pipeline(Readable.from(pace(chunks)), response, () => {});
      })
      .catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else refuse(response, 503, `Metrics cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      });
  };
}

/** A turn of the event loop for each chunk. */
async function* pace(chunks: Iterable<string>): AsyncGenerator<string> {
  for (const chunk of chunks) {
    yield chunk;
    await nextTurn();
  }
}

/** A server with metrics at one path. It has limits on all that it takes in, and nothing of it keeps the process alive. */
export function createEndpoint(path: string, handler: Handler): Server {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000, maxHeaderSize: 8_192 },
    (request, response) => {
      const [asked] = (request.url ?? "").split("?", 1);
      if (asked === path) handler(request, response);
      else refuse(response, 404, `Metrics are at ${path}`);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("connection", (socket) => socket.unref());
  return server.unref();
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}
