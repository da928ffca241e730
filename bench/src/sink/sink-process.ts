import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { answer } from "./answer.js";
import type { Counted, SinkAnswer, SinkRequest } from "./sink.js";

// The collectors of all agents in one process. Each server under test has a port of its own, so that its spans are known from the others'.
const counts = new Map<number, Counted>();

const DECODERS: Readonly<Record<string, (body: Uint8Array) => Uint8Array>> = {
  gzip: gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

function listen(tls: { cert: Buffer; key: Buffer } | undefined): Promise<number> {
  const counted: Counted = { requests: 0, spans: 0, problem: undefined };
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      counted.requests++;
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://sink");
      try {
        const sent = Buffer.concat(parts);
        const body = DECODERS[request.headers["content-encoding"] ?? ""]?.(sent) ?? sent;
        const said = answer(pathname, searchParams, body, (server.address() as AddressInfo).port);
        counted.spans += said.spans;
        response.writeHead(200, { "content-type": said.type }).end(said.body);
      } catch (error) {
        counted.problem ??= `${request.method} ${pathname}: ${String(error)}`;
        response.writeHead(200).end();
      }
    });
  };
  const server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  server.keepAliveTimeout = 600_000;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      counts.set(port, counted);
      resolve(port);
    });
  });
}

async function serve(request: SinkRequest): Promise<SinkAnswer> {
  if (request.ask === "count") return { answer: "count", counted: counts.get(request.port) };
  const { certificate } = request;
  const tls = certificate && { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) };
  return { answer: "open", port: await listen(tls) };
}

process.on("message", (request: SinkRequest) => void serve(request).then((said) => process.send?.(said)));
process.on("disconnect", () => process.exit());
