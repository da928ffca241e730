import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addListener,
  type DatabaseOperation,
  type DatabaseTemplate,
  endOperation,
  type HttpServerOperation,
  reportKeyOf,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { collectGarbage } from "@telltale/test/memory";
import { getRequest } from "@telltale/test/requests";
import { expect, test } from "vitest";
import { createInsights } from "../src/index.js";

const REQUESTS = 10_000;
/** More than are followed in one request. */
const KEYS = 40;

function template(system: string): DatabaseTemplate {
  return {
    system,
    namespace: "0",
    operationName: "GET",
    collection: undefined,
    querySummary: "GET",
    queryText: "GET ?",
    fingerprint: `GET ${system}`,
    effect: "read",
    serverAddress: "cache",
    serverPort: 6379,
    poolName: undefined,
    slots: [],
  };
}

const redis = template("redis");
const postgres = template("postgresql");

/** A key of one of 100,000 patterns: words in the place of a name, and behind ids. */
function keyOf(n: number): string {
  const word = (n % 1_000).toString(26).replace(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)] ?? "");
  return n % 2 === 0 ? `product:${n}:${word}` : `w${word}${n % 100}:${n}`;
}

/** Requests that all run at once, each with many misses and a query that has not ended. */
function open(): [HttpServerOperation, DatabaseOperation][] {
  return Array.from({ length: REQUESTS }, (_, request) => {
    const served = startHttpServerOperation(getRequest(), ROOT_CONTEXT);
    for (let n = 0; n < KEYS; n++) {
      const key = keyOf(request * 10 + n);
      const lookup = startDatabaseOperation(redis, undefined, undefined, served.context);
      reportKeyOf(lookup, key.slice(0, key.indexOf(":")), key, "miss");
      endOperation(lookup);
    }
    return [served, startDatabaseOperation(postgres, undefined, [request], served.context)];
  });
}

function heapMb(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

/** What the requests take while they run, and what is left when they have ended, in MB. */
async function measure(): Promise<{ whileOpen: number; after: number }> {
  const before = heapMb();
  const requests = open();
  const whileOpen = heapMb() - before;
  for (const [served, query] of requests) {
    endOperation(query);
    endOperation(served);
  }
  requests.length = 0;
  // What is over is looked at once a second.
  await new Promise((resolve) => setTimeout(resolve, 1_300));
  return { whileOpen, after: heapMb() - before };
}

test("10,000 requests at once with keys of 100,000 patterns", { timeout: 60_000 }, async () => {
  await measure();
  const bare = await measure();
  const stop = addListener(createInsights({ eventLoop: { blockMs: 0 } }));
  const watched = await measure();
  stop();
  const whileOpen = watched.whileOpen - bare.whileOpen;
  const after = watched.after - bare.after;
  console.log(`while they run ${whileOpen.toFixed(1)} MB, after it ${after.toFixed(1)} MB`);
  expect(whileOpen).toBeLessThan(30);
  expect(after).toBeLessThan(5);
});
