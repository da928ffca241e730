import { connect, type Socket } from "node:net";
import type { LoadDone, LoadRequest } from "./load.js";

// A closed loop over raw sockets: so many connections, each with one request under way. An HTTP client would take more CPU than the server.

interface Connection {
  readonly socket: Socket;
  /** Called with the answer's status when it is complete. */
  answered: (status: number) => void;
}

const open = new Map<number, Connection[]>();

function openConnection(port: number): Promise<Connection> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  const connection: Connection = { socket, answered: () => {} };
  let head = "";
  let missing = -1;
  socket.on("data", (data) => {
    if (missing < 0) {
      head += data.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
      if (length === undefined) throw new Error(`an answer without a length:\n${head}`);
      missing = Number(length) - (head.length - end - 4);
    } else missing -= data.length;
    if (missing > 0) return;
    const status = Number(head.slice(9, 12));
    head = "";
    missing = -1;
    connection.answered(status);
  });
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(connection));
    socket.once("error", reject);
    socket.on("close", () => {
      open.delete(port);
      connection.answered(0);
    });
  });
}

/** Connections stay open between blocks: opening them is nothing that is measured. */
async function connections({ port, connections: wanted }: LoadRequest): Promise<Connection[]> {
  const there = open.get(port) ?? [];
  while (there.length < wanted) there.push(await openConnection(port));
  open.set(port, there);
  return there.slice(0, wanted);
}

async function run(request: LoadRequest): Promise<LoadDone> {
  const { endpoint, requests, missEvery, cached } = request;
  const idle = await connections(request);
  let sent = 0;
  let done = 0;
  let failed = 0;
  let missing = request.firstMiss;
  await new Promise<void>((resolve) => {
    const send = ({ socket }: Connection): void => {
      if (sent === requests) return;
      sent++;
      const id = endpoint === "item" && sent % missEvery === 0 ? missing++ : 1 + ((sent * 7919) % cached);
      socket.write(`GET /${endpoint}/${id} HTTP/1.1\r\nHost: 127.0.0.1:${request.port}\r\nUser-Agent: bench\r\n\r\n`);
    };
    for (const connection of idle) {
      connection.answered = (status) => {
        if (status !== 200) failed++;
        if (++done >= requests) resolve();
        else if (status !== 0) send(connection);
        else resolve();
      };
      send(connection);
    }
  });
  for (const connection of idle) connection.answered = () => {};
  return { answer: "load", failed: failed + requests - done };
}

process.on("message", (request: LoadRequest) => void run(request).then((done) => process.send?.(done)));
process.on("disconnect", () => process.exit());
