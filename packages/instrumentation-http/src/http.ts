import { defineInstrumentation, type Guard, type Instrumentation, undoAll } from "@telltale/core";
import { closeHttpPools } from "./http-pools.js";
import { whenNoneInFlight } from "./in-flight.js";
import { hearAgents } from "./source-agent.js";
import { hearClients } from "./source-client.js";
import { hearFetch } from "./source-fetch.js";
import { hearHttp2Clients } from "./source-http2-client.js";
import { hearServers } from "./source-server.js";
import { undici } from "./source-undici.js";

export interface HttpInstrumentationOptions {
  /**
   * Requests that are not recorded, nor anything done for them: a string is the whole path (`/health`), an expression is
   * searched for in the path. Default: none.
   */
  readonly ignoreIncomingPaths?: readonly (string | RegExp)[];
  /**
   * Takes the client's address, the host and the scheme from `Forwarded` or `X-Forwarded-…`. Anyone can send these headers: set
   * it only behind a proxy that overwrites them. Default: false.
   */
  readonly trustForwarded?: boolean;
}

/** Hears the requests that a program serves with node:http and node:https, and those it sends with them, with `fetch` or with undici. */
export function httpInstrumentation(options: HttpInstrumentationOptions = {}): Instrumentation {
  let restore = (): void => {};
  return defineInstrumentation({
    name: "http",
    modules: [undici],
    enable(given: Guard) {
      // What was begun before is heard by what comes now.
      restore();
      let active = true;
      // False once disabled: others may have wrapped ours meanwhile, and still call it.
      const guard: Guard = {
        get on() {
          return active && given.on;
        },
        failed: given.failed,
      };
      const undo = [
        hearServers(options, guard),
        hearClients(guard),
        hearAgents(guard),
        hearHttp2Clients(guard),
        hearFetch(guard),
      ];
      restore = () => {
        try {
          undoAll(undo.splice(0));
        } catch (error) {
          given.failed(error);
        }
      };
      return () => {
        active = false;
        closeHttpPools();
        whenNoneInFlight(restore);
      };
    },
  });
}
