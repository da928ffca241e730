import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { findPortOwner } from "./port-owner.js";

/** Where a server is to listen. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** Ports to try, one after the other, while they are in use. */
  readonly portsToTry: number;
}

/** What became of it. */
export type Listening = { readonly url: string } | { readonly error: string };

/** Why a server does not listen. */
export interface Failure {
  readonly code: string | undefined;
  readonly message: string;
}

/** Listens, and never fails: without an endpoint the program runs on. */
export async function listen(server: Server, place: Place): Promise<Listening> {
  const result = await tryToListen(server, place);
  return "url" in result ? result : { error: await explainFailure(result, place) };
}

/** The same without the reason in words, for which the machine has to be searched. */
export async function tryToListen(server: Server, place: Place): Promise<{ readonly url: string } | Failure> {
  const { host, port, portsToTry } = place;
  if (isNetworkDenied()) {
    return { code: undefined, message: "this process may not use the network; start Node with --allow-net" };
  }
  for (let tried = 0; ; tried++) {
    try {
      const actual = await listenOn(server, host, port + tried);
      return { url: `http://${host.includes(":") ? `[${host}]` : host}:${actual}` };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "EADDRINUSE" && tried + 1 < portsToTry) continue;
      return { code, message };
    }
  }
}

/** Why metrics are not served, and what to do. */
export async function explainFailure({ code, message }: Failure, place: Place): Promise<string> {
  return `metrics are not served on ${place.host}:${place.port}: ${await explain(code, message, place)}`;
}

/** Under `--permission` Node 26 throws what it denies where nobody can catch it; before that there is no such permission. */
export function isNetworkDenied(): boolean {
  // The flags are only asked for where there are permissions: to list them takes longer than all else here.
  return process.permission?.has("net") === false && process.allowedNodeEnvironmentFlags.has("--allow-net");
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    // Who heard of a port that was refused must not stay for the next one: Node warns of the eleventh.
    const failed = (error: Error): void => {
      server.off("listening", listened).off("close", closed);
      reject(error);
    };
    const closed = (): void => {
      // While the host's name is looked up: it will listen all the same.
      server.off("listening", listened).once("listening", () => server.close());
      reject(new Error("it was shut down before it listened"));
    };
    const listened = (): void => {
      const { port: actual } = server.address() as AddressInfo;
      server.off("error", failed).off("close", closed);
      // A connection that cannot be accepted (no file left) must not end the process.
      server.on("error", () => {});
      resolve(actual);
    };
    server.once("error", failed).once("close", closed).once("listening", listened);
    // Exclusive: with the handle that cluster workers share, each scrape would reach another worker.
    server.listen({ host, port, exclusive: true });
  });
}

async function explain(code: string | undefined, message: string, { host, port, portsToTry }: Place): Promise<string> {
  const cure = "give it another port, or 0 for any free one (Telltale: OTEL_EXPORTER_PROMETHEUS_PORT)";
  switch (code) {
    case "EADDRINUSE": {
      if (portsToTry > 1) return `ports ${port} to ${port + portsToTry - 1} are in use; ${cure}`;
      const owner = await findPortOwner(port);
      return `port ${port} is in use ${owner === undefined ? `(by whom: lsof -i :${port})` : `by ${owner}`}; ${cure}`;
    }
    case "EACCES":
      return `this process may not use port ${port}; ${cure}`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `this machine has no address ${host}; give it one that it has (Telltale: OTEL_EXPORTER_PROMETHEUS_HOST)`;
    default:
      return message;
  }
}
