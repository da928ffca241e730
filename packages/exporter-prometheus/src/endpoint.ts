import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { TEXT_CONTENT_TYPE } from "./text-format.js";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const MAX_CONNECTIONS = 32;
const IDLE_MS = 5_000;

/** Answers every GET with a page, whatever the path, and HEAD without making one. */
export function createHandler(scrape: () => Promise<AsyncIterable<Uint8Array>>): Handler {
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
      .then((chunks) => send(response, chunks))
      .catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else refuse(response, 503, `Metrics cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      });
  };
}

async function send(response: ServerResponse, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  // Whoever asked may have gone meanwhile; then there is nobody to tell.
  if (response.destroyed) return;
  response.writeHead(200, { "content-type": TEXT_CONTENT_TYPE });
  for await (const chunk of chunks) {
    if (!response.write(chunk)) await drained(response);
    if (response.destroyed) return;
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    if (response.destroyed) resolve();
    else response.on("drain", done).on("close", done);
  });
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
  // Who does not read on would hold one of the connections for ever.
  server.timeout = IDLE_MS;
  server.on("connection", (socket) => socket.unref());
  return server.unref();
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}
