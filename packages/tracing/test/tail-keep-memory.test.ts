import { ROOT_CONTEXT } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  addSpanListener,
  contextOf,
  endOperation,
  selfCounters,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { usedBytes } from "@telltale/test/memory";
import { getRequest } from "@telltale/test/requests";
import { template } from "@telltale/test/template";
import { expect, test } from "vitest";
import { createSampler, createTracerProvider, SpanExport, type TailKeepOptions } from "../src/index.js";

const REQUESTS = 10_000;
const MB = 1024 * 1024;

const orders = template({ fingerprint: undefined, poolName: "shop" });

const served = getRequest("/orders/7", {
  serverAddress: "shop.example",
  serverPort: 443,
  clientAddress: "10.0.0.7",
  userAgent: "curl/8",
});

const usedMb = async (): Promise<number> => (await usedBytes()) / MB;

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
      endOperation(startDatabaseOperation(orders, `SELECT ${i}`, [Buffer.alloc(1_000).toString()], contextOf(one)));
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
}, 120_000);
