import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addListener,
  type DatabaseTemplate,
  endOperation,
  reportKeyOf,
  reportLookupOf,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { createInsights } from "@telltale/insights";
import { makeTemplates } from "../query-templates.js";
import type { Micro } from "./micro.js";
import { served } from "./served.js";

const redis: DatabaseTemplate = {
  system: "redis",
  namespace: "0",
  operationName: "GET",
  collection: undefined,
  querySummary: "GET",
  queryText: "GET item:?",
  fingerprint: "GET item",
  effect: "read",
  serverAddress: "127.0.0.1",
  serverPort: 6379,
  poolName: undefined,
  slots: [],
};

/** What it costs to follow the keys of caches: a request with one read that hits, and one that misses, queries and writes. */
export function caches(): Micro[] {
  const [query] = makeTemplates(1);
  if (query === undefined) return [];
  let listening = false;
  const listen = (): void => {
    if (listening) return;
    listening = true;
    addListener(createInsights());
  };
  const keys = Array.from({ length: 1_000 }, (_, n) => `item:${n}:details`);
  let next = 0;
  const nextKey = (): string => keys[(next = (next + 1) % keys.length)] ?? "";
  return [
    {
      name: "hit in a request, keys not told",
      run() {
        listen();
        hit("");
      },
    },
    {
      name: "hit in a request, keys told",
      run() {
        listen();
        hit(nextKey());
      },
    },
    {
      name: "miss, query and write, keys not told",
      run() {
        listen();
        miss(query, "");
      },
    },
    {
      name: "miss, query and write, keys told",
      run() {
        listen();
        miss(query, nextKey());
      },
    },
  ];
}

function hit(key: string): void {
  const request = startHttpServerOperation(served, ROOT_CONTEXT);
  const lookup = startDatabaseOperation(redis, undefined, undefined, request.context);
  if (key !== "") reportKeyOf(lookup, "item", key, "hit");
  reportLookupOf(lookup, "item", "hit", 1);
  endOperation(lookup);
  endOperation(request);
}

function miss(template: DatabaseTemplate, key: string): void {
  const request = startHttpServerOperation(served, ROOT_CONTEXT);
  const lookup = startDatabaseOperation(redis, undefined, undefined, request.context);
  if (key !== "") reportKeyOf(lookup, "item", key, "miss");
  reportLookupOf(lookup, "item", "miss", 1);
  endOperation(lookup);
  endOperation(startDatabaseOperation(template, undefined, [key], request.context));
  const write = startDatabaseOperation(redis, undefined, undefined, request.context);
  if (key !== "") reportKeyOf(write, "item", key, "write");
  endOperation(write);
  endOperation(request);
}
