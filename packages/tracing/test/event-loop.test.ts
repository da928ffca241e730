import { ROOT_CONTEXT } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  addSpanListener,
  contextOf,
  endOperation,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { usedBytes } from "@telltale/test/memory";
import { getRequest } from "@telltale/test/requests";
import { template } from "@telltale/test/template";
import { expect, test } from "vitest";
import { createTracerProvider, type SpanDelivery, SpanExport } from "../src/index.js";

const SPANS_PER_SECOND = 5_000;
const MAX_PIECE_MS = 2;
const MB = 1024 * 1024;

const orders = template({
  queryText:
    "SELECT id, customer_id, total, state, created_at FROM orders WHERE customer_id = $1 ORDER BY created_at DESC LIMIT 20",
  fingerprint: undefined,
  poolName: "shop",
});

const request = getRequest("/orders/7", {
  query: "page=2",
  serverAddress: "shop.example",
  serverPort: 443,
  clientAddress: "10.0.0.7",
  userAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
});

/** A request with four queries: five spans. */
function serve(): void {
  const server = startHttpServerOperation(request, ROOT_CONTEXT);
  for (let i = 0; i < 4; i++) {
    const query = startDatabaseOperation(orders, undefined, undefined, contextOf(server));
    query.rows = 20;
    endOperation(query);
  }
  server.statusCode = 200;
  if (server.request !== undefined) server.request.route = "/orders/:id";
  endOperation(server);
}

/** CPU time of this thread in ms: what other processes of a busy machine take meanwhile is not in it. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** The longest pieces of work of some seconds at full load, in ms: to take a span (and close a batch), to make a request of a batch. */
async function longestPieces(seconds: number): Promise<{ add: number; request: number; requests: number }> {
  const longest = { add: 0, request: 0, requests: 0 };
  let startMs = 0;
  const spanExport = new SpanExport({
    async deliver() {
      longest.request = Math.max(longest.request, cpuMs() - startMs);
      longest.requests++;
      return { ok: true };
    },
  });
  const add = spanExport.add.bind(spanExport);
  spanExport.add = (span) => {
    const beforeMs = cpuMs();
    add(span);
    longest.add = Math.max(longest.add, cpuMs() - beforeMs);
  };
  const resource = {
    ...emptyResource(),
    attributes: {},
    // The last thing that is asked before a request is made.
    async waitForAsyncAttributes() {
      startMs = cpuMs();
    },
  } as ReturnType<typeof emptyResource>;
  const stop = addSpanListener(createTracerProvider({ resource, export: spanExport }));
  const beganMs = performance.now();
  let spans = 0;
  while (performance.now() - beganMs < seconds * 1000) {
    const due = ((performance.now() - beganMs) / 1000) * SPANS_PER_SECOND;
    for (; spans < due; spans += 5) serve();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stop();
  await spanExport.shutdown();
  return longest;
}

test(`at ${SPANS_PER_SECOND} spans/s no piece of work takes ${MAX_PIECE_MS} ms`, async () => {
  const runs = [];
  for (let i = 0; i < 3; i++) runs.push(await longestPieces(1.5));
  expect(Math.min(...runs.map(({ requests }) => requests))).toBeGreaterThan(2);
  // The best of three: a garbage collection of all that the tests made may fall into one.
  expect(Math.min(...runs.map(({ add }) => add))).toBeLessThan(MAX_PIECE_MS);
  expect(Math.min(...runs.map((run) => run.request))).toBeLessThan(MAX_PIECE_MS);
});

test.each<[string, () => Promise<SpanDelivery>, number, number]>([
  ["that answers", async () => ({ ok: true }), 0, 2],
  // The queue's 8,192 spans and the batch on its way, of which each may be just full or just begun.
  ["that refuses", async () => ({ ok: false }), 8, 3],
  ["that hangs", () => new Promise(() => {}), 8, 3],
])("with a collector %s memory stays flat", async (_, deliver, queueMb, changeMb) => {
  const spanExport = new SpanExport({ deliver });
  const stop = addSpanListener(createTracerProvider({ resource: emptyResource(), export: spanExport }));
  const run = async (spans: number) => {
    for (let i = 0; i < spans; i += 5) {
      serve();
      if (i % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (queueMb === 0) await spanExport.forceFlush();
  };
  const beforeBytes = await usedBytes();
  await run(30_000);
  const warmBytes = await usedBytes();
  await run(150_000);
  stop();
  // No object, however small, is kept of each span; a buffer more or less may wait to be used again.
  const endBytes = await usedBytes();
  expect(endBytes - warmBytes).toBeLessThan(changeMb * MB);
  expect(endBytes - beforeBytes).toBeLessThan((queueMb + 6) * MB);
});
