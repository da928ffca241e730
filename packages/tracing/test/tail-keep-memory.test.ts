import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  addSpanListener,
  contextOf,
  type DatabaseTemplate,
  endOperation,
  selfCounters,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { expect, test } from "vitest";
import { createSampler, createTracerProvider, SpanExport, type TailKeepOptions } from "../src/index.js";

const REQUESTS = 10_000;
const MB = 1024 * 1024;

const template: DatabaseTemplate = {
  system: "postgresql",
  namespace: "shop",
  operationName: "SELECT",
  collection: "orders",
  querySummary: "SELECT orders",
  queryText: "SELECT * FROM orders WHERE id = $1",
  fingerprint: undefined,
  effect: "read",
  serverAddress: "db.example",
  serverPort: 5432,
  poolName: "shop",
  slots: [],
};

const served = {
  method: "GET",
  originalMethod: undefined,
  scheme: "http",
  path: "/orders/7",
  query: undefined,
  serverAddress: "shop.example",
  serverPort: 443,
  clientAddress: "10.0.0.7",
  userAgent: "curl/8",
  protocolVersion: "1.1",
} as const;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** The least of several looks: buffers are given back in the background. */
async function usedMb(): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, (heapUsed + arrayBuffers) / MB);
  }
  return least;
}

function outcomes(): Record<string, number> {
  const spans = [...selfCounters()].filter(({ metric }) => metric === "telltale.spans");
  return Object.fromEntries(spans.map(({ value, total }) => [value, total]));
}

/** Memory of so many requests at once, each with some queries behind it; and once they have ended, every tenth of them failed. */
async function measure(queries: number, keep: TailKeepOptions | undefined) {
  const provider = createTracerProvider({
    resource: emptyResource(),
    sampler: createSampler("parentbased_always_off"),
    export: new SpanExport({ deliver: async () => ({ ok: true }), maxQueueSize: 1e6 }),
    keep,
  });
  const stop = addSpanListener(provider);
  const before = await usedMb();
  const counted = outcomes();
  const open = Array.from({ length: REQUESTS }, () => startHttpServerOperation(served, ROOT_CONTEXT));
  for (let i = 0; i < queries; i++) {
    // The values are as large as a document: they must not wait with their query.
    for (const one of open) {
      endOperation(startDatabaseOperation(template, `SELECT ${i}`, [Buffer.alloc(1_000).toString()], contextOf(one)));
    }
  }
  const inFlight = (await usedMb()) - before;
  for (const [index, one] of open.splice(0).entries()) {
    one.statusCode = index % 10 === 0 ? 500 : 200;
    if (one.statusCode === 500) one.errorType = "500";
    endOperation(one);
  }
  await provider.forceFlush();
  const after = (await usedMb()) - before;
  await provider.shutdown();
  stop();
  const now = outcomes();
  const counts = Object.fromEntries(Object.entries(now).map(([name, total]) => [name, total - (counted[name] ?? 0)]));
  return { inFlight, after, counts };
}

const keep: TailKeepOptions = { reasons: ["error", "slow", "finding"], slowMs: 1e9, perSecond: Infinity };

test("10,000 requests at once: what waits is bounded, and is gone with them", async () => {
  const off = await measure(5, undefined);
  const five = await measure(5, keep);
  const twenty = await measure(20, keep);
  const row = ({ inFlight, after, counts }: typeof off) =>
    `${inFlight.toFixed(1)} MB in flight, ${after.toFixed(1)} MB after, ${JSON.stringify(counts)}`;
  console.log(`off: ${row(off)}\n5 queries: ${row(five)}\n20 queries: ${row(twenty)}`);

  const held = (five.inFlight - off.inFlight) * MB;
  expect(five.counts).toMatchObject({ exported: REQUESTS * 0.6, sampled_out: REQUESTS * 5.4 });
  expect(held / (REQUESTS * 6)).toBeLessThan(512);
  // With 20 queries each many requests are given up for the rest.
  expect(twenty.counts["given_up"]).toBeGreaterThan(REQUESTS * 5);
  expect(twenty.inFlight - off.inFlight).toBeLessThan(40);
  for (const { after } of [five, twenty]) expect(after).toBeLessThan(5);
}, 60_000);
