import { fileURLToPath } from "node:url";
import { askChild, type Machine } from "../processes.js";

/** What came to one port; `problem` is the first request that could not be read. */
export interface Counted {
  requests: number;
  spans: number;
  problem: string | undefined;
}

/** Files of a certificate for `localhost`. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export type SinkRequest =
  | { readonly ask: "open"; readonly certificate?: Certificate }
  | { readonly ask: "count"; readonly port: number };
export type SinkAnswer =
  | { readonly answer: "open"; readonly port: number }
  | { readonly answer: "count"; readonly counted: Counted | undefined };

/** A collector for every agent, in a process of its own. */
export interface Sink {
  /** A port of its own, with TLS where a certificate is given. */
  open(certificate?: Certificate): Promise<number>;
  count(port: number): Promise<Counted>;
}

export function startSink(machine: Machine): Sink {
  const child = machine.start("load", "the sink", [fileURLToPath(new URL("sink-process.js", import.meta.url))]);
  return {
    async open(certificate) {
      const { port } = await askChild<{ port: number }, SinkRequest>(child, {
        ask: "open",
        ...(certificate && { certificate }),
      });
      return port;
    },
    async count(port) {
      const { counted } = await askChild<{ counted: Counted }, SinkRequest>(child, { ask: "count", port });
      return counted;
    },
  };
}
