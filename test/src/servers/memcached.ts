import { once } from "node:events";
import { connect } from "node:net";
import { findServer } from "./find-server.js";
import { freePort } from "./free-port.js";
import { findOwner } from "./server-owner.js";
import { startReady, supervise } from "./supervise.js";

export interface MemcachedServer {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** As its clients write it. */
  readonly address: string;
  readonly pid: number;
  /** What the server itself has counted. */
  stats(): Promise<Readonly<Record<string, number>>>;
  stop(): Promise<void>;
}

/** Starts a Memcached of its own, empty. */
export async function startMemcached(): Promise<MemcachedServer> {
  const program = await findServer("memcached");
  const place = await findOwner();
  const { server, details: port } = await startReady("memcached", /server listening/, async () => {
    const port = await freePort();
    // Only so talkative it says that it listens.
    const flags = ["-vv", "-l", "127.0.0.1", "-p", String(port), "-U", "0", "-t", "1"];
    return { server: await supervise("memcached", [program, ...flags], place), details: port };
  });
  return {
    host: "127.0.0.1",
    port,
    address: `127.0.0.1:${port}`,
    pid: server.pid,
    stats: () => readStats(port),
    stop: server.stop,
  };
}

async function readStats(port: number): Promise<Record<string, number>> {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  socket.end("stats\r\nquit\r\n");
  let text = "";
  socket.on("data", (data: string) => (text += data));
  await once(socket, "close");
  return Object.fromEntries(
    [...text.matchAll(/^STAT (\w+) (\d+)\r$/gm)].map(([, name, value]) => [name, Number(value)]),
  );
}
