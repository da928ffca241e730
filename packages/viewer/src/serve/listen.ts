import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A port that is asked for and belongs to somebody else. */
export class PortTakenError extends Error {
  override readonly name = "PortTakenError";
  readonly port: number;
  constructor(port: number) {
    super(`port ${port} is taken by another program`);
    this.port = port;
  }
}

export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

/** Both are meant by `localhost`: what a program finds it to be differs. */
const LOOPBACK = ["127.0.0.1", "::1"];
/**
 * How long a request may take; and how often that is looked at: by default every 30 s, and until then whoever connects and says nothing keeps
 * others out.
 */
const TIMES = { requestTimeout: 30_000, headersTimeout: 10_000, connectionsCheckingInterval: 1_000 };
/** The same number need not be free on both. */
const TRIES = 10;

/**
 * Serves a port: on this machine only, unless `host` is named. Port 0 is any that is free.
 * @throws PortTakenError
 */
export async function listen(listener: RequestListener, port: number, host?: string): Promise<Listening> {
  const hosts = host === undefined ? LOOPBACK : [host];
  for (let tries = port === 0 ? TRIES : 1; ; tries--) {
    try {
      return await listenOn(listener, port, hosts);
    } catch (error) {
      if (!(error instanceof PortTakenError) || tries === 1) throw error;
    }
  }
}

async function listenOn(listener: RequestListener, port: number, hosts: readonly string[]): Promise<Listening> {
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map(end));
  };
  let bound = port;
  try {
    for (const host of hosts) {
      const server = createServer(TIMES, listener);
      server.maxConnections = 1_000;
      const taken = await start(server, bound, host, servers.length > 0);
      if (taken === undefined) continue;
      servers.push(server);
      bound = taken;
    }
    return { port: bound, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Undefined where the machine has no such address, and it can be done without. */
function start(server: Server, port: number, host: string, isDispensable: boolean): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") reject(new PortTakenError(port));
      else if (isDispensable && /^E(ADDRNOTAVAIL|AFNOSUPPORT|INVAL)$/.test(error.code ?? "")) resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => resolve((server.address() as AddressInfo).port));
  });
}

function end(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
