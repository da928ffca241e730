import { fileURLToPath } from "node:url";
import { CACHED_ITEMS, ITEMS } from "../databases.js";
import { askChild, type Machine } from "../processes.js";
import type { Endpoint } from "../options.js";

export interface LoadRequest {
  readonly ask: "load";
  readonly port: number;
  readonly endpoint: Endpoint;
  readonly requests: number;
  readonly connections: number;
  /** Every so many reads is of an item that is not in the cache … */
  readonly missEvery: number;
  /** … with this number and those that follow. */
  readonly firstMiss: number;
  /** Items from 1 to this are in the cache. */
  readonly cached: number;
}

export interface LoadDone {
  readonly answer: "load";
  readonly failed: number;
}

export interface Load {
  /** Sends a number of requests and waits for the answers; fails when one is not a 200. */
  run(port: number, endpoint: Endpoint, requests: number): Promise<void>;
}

const CONNECTIONS = 50;
const MISS_EVERY = 5;

/** The load, from a process of its own. */
export function startLoad(machine: Machine): Load {
  const child = machine.start("load", "the load", [fileURLToPath(new URL("load-process.js", import.meta.url))]);
  let firstMiss = CACHED_ITEMS + 1;
  return {
    async run(port, endpoint, requests) {
      const misses = Math.ceil(requests / MISS_EVERY);
      // Round again: by then what was read first has left the cache.
      if (firstMiss + misses > ITEMS) firstMiss = CACHED_ITEMS + 1;
      const request: LoadRequest = {
        ask: "load",
        port,
        endpoint,
        requests,
        connections: CONNECTIONS,
        missEvery: MISS_EVERY,
        firstMiss,
        cached: CACHED_ITEMS,
      };
      firstMiss += misses;
      const { failed } = await askChild<LoadDone, LoadRequest>(child, request);
      if (failed > 0) throw new Error(`${failed} of ${requests} requests to /${endpoint} failed`);
    },
  };
}
