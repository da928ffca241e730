import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";

export interface Serving {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

export async function listen(server: Server): Promise<Serving> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export const serve = (handler: RequestListener): Promise<Serving> => listen(createServer(handler));

/** Writes to the server as it is told and gives what came back, once the server closes or `until` appears `times` times. */
export async function exchange(port: number, text: string, until: string, times = 1): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.setEncoding("utf8").write(text);
  let received = "";
  for await (const chunk of socket) {
    received += String(chunk);
    if (received.split(until).length > times) break;
  }
  socket.destroy();
  return received;
}

/** Waits until something holds, and fails with what was seen last if it does not within 5 s. */
export async function until<Value>(see: () => Value, holds: (value: Value) => boolean): Promise<Value> {
  const end = performance.now() + 5000;
  for (;;) {
    const value = see();
    if (holds(value)) return value;
    if (performance.now() > end) throw new Error(`did not come to hold: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
