import { defineInstrumentation, type Instrumentation } from "@telltale/core";
import { hearClient } from "./source-client.js";
import { hearFetch } from "./source-fetch.js";
import { hearServer, type PathFilter } from "./source-server.js";

export interface HttpInstrumentationOptions {
  /** Incoming paths that are neither traced nor counted: exact texts or expressions. Default none. */
  readonly ignoreIncomingPaths?: PathFilter;
}

/** node:http and node:https, requests served and sent, and `fetch`. */
export function httpInstrumentation(options: HttpInstrumentationOptions = {}): Instrumentation {
  return defineInstrumentation({
    name: "http",
    modules: [],
    enable(guard) {
      const undo = [hearServer(guard, options.ignoreIncomingPaths ?? []), hearClient(guard), hearFetch(guard)];
      return () => {
        for (const step of undo) step();
      };
    },
  });
}
