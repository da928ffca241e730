import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import { onTestFinished } from "vitest";
import type { SenderSettings } from "../src/otlp/sender.js";

/** A whole answer. */
export const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
export const payload = Buffer.from("payload");

/** Calls back for each request that has come whole: the how many-th it is, and of which connection. */
type Answer = (socket: Socket, nth: number, connection: number) => void;

/** A collector that is a bare socket, which does what no HTTP server does. */
export async function collector(answer: Answer, server: Server = createServer()) {
  let requests = 0;
  let connections = 0;
  const bodies: string[] = [];
  server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
    const connection = ++connections;
    let received = "";
    onTestFinished(() => void socket.destroy());
    socket.unref();
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      for (;;) {
        const [, length] = /content-length: (\d+)\r\n\r\n/.exec(received) ?? [];
        const end = received.indexOf("\r\n\r\n") + 4 + Number(length);
        if (length === undefined || received.length < end) return;
        bodies.push(received.slice(end - Number(length), end));
        received = received.slice(end);
        answer(socket, ++requests, connection);
      }
    });
  });
  const port = await listen(server);
  return { port, url: `http://127.0.0.1:${port}/`, requests: () => requests, connections: () => connections, bodies };
}

export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

export function settings(url: string, changes: Partial<SenderSettings> = {}): SenderSettings {
  return {
    url,
    headers: {},
    contentType: "application/x-protobuf",
    gzip: false,
    timeoutMs: 3_000,
    tls: {},
    userAgent: "telltale/test",
    ...changes,
  };
}
