import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { send } from "./send.js";

/** An OTLP endpoint that passes on all it gets to each of these, byte for byte, and answers what the first one answered. */
export async function startTee(targets: readonly [string, ...string[]]): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = request.url ?? "/";
      const { "content-type": type = "", "content-encoding": encoding } = request.headers;
      const post = { what: path, path, type, body: Buffer.concat(chunks), ...(encoding !== undefined && { encoding }) };
      Promise.all(targets.map((target) => send(target, post))).then(
        ([first]) => response.writeHead(first?.status ?? 500, { "content-type": type }).end(),
        () => response.writeHead(503).end(),
      );
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
