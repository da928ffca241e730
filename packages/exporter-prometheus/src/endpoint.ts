import { createServer, type Server } from "node:http";
import { type Handler, refuse } from "./answer-pages.js";

const MAX_CONNECTIONS = 32;
const IDLE_MS = 5_000;
/** What is served at one path. */
export interface Served {
  readonly path: string;
  readonly handler: Handler;
}

/** A server with metrics at one path, and maybe a page at another. It has limits on all that it takes in, and nothing of it keeps the process alive. */
export function createEndpoint(metrics: Served, page: Served | undefined): Server {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 5_000, maxHeaderSize: 8_192 },
    (request, response) => {
      // Who does not read on would hold one of the connections for ever. Not set on the server: sockets of another shape than the app's
      // would make Node's own code slower for both.
      request.socket.setTimeout(IDLE_MS);
      const [asked] = (request.url ?? "").split("?", 1);
      if (asked === metrics.path) metrics.handler(request, response);
      else if (asked === page?.path) page?.handler(request, response);
      else refuse(response, 404, `Metrics are at ${metrics.path}`);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("connection", (socket) => socket.unref());
  return server.unref();
}
