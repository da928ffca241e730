import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addListener,
  type DatabaseTemplate,
  endOperation,
  type HttpServerOperation,
  selfCounters,
  startDatabaseOperation,
  startHttpClientOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { collectGarbage } from "@telltale/test/memory";
import { getRequest } from "@telltale/test/requests";
import { expect, test } from "vitest";
import { createInsights } from "../src/index.js";

function heapBytes(): number {
  for (let n = 0; n < 3; n++) collectGarbage();
  return process.memoryUsage().heapUsed;
}

const REQUESTS = 10_000;
const SHAPES = 100_000;

function begin(): HttpServerOperation {
  return startHttpServerOperation(getRequest(), ROOT_CONTEXT);
}

function shape(n: number): DatabaseTemplate {
  return {
    system: "postgresql",
    namespace: "shop",
    operationName: "SELECT",
    collection: "items",
    querySummary: "SELECT items",
    queryText: "SELECT * FROM items WHERE id = ?",
    fingerprint: n.toString(16).padStart(16, "0"),
    effect: "read",
    serverAddress: "db",
    serverPort: 5432,
    poolName: undefined,
    slots: [],
  };
}

/** What is asked in requests that all run at once: 20 shapes each, of 100,000, with literals in their texts; and 20 URLs. */
function ask(requests: readonly HttpServerOperation[], templates: readonly DatabaseTemplate[], calls: number): void {
  for (const [r, request] of requests.entries()) {
    for (let n = 0; n < 20; n++) {
      const template = templates[(r * 20 + n) % templates.length] ?? shape(0);
      for (let call = 0; call < calls; call++) {
        const text = `SELECT * FROM items WHERE id = ${r * 1_000 + call}`;
        endOperation(startDatabaseOperation(template, text, undefined, request.context));
      }
    }
    const url = `http://api:8080/things${r % 100}/${r}`;
    const call = { method: "GET", originalMethod: undefined, url, serverAddress: "api", serverPort: 8080 };
    endOperation(startHttpClientOperation(call, request.context));
  }
}

function reached(limit: string): number {
  for (const { value, total } of selfCounters()) if (value === limit) return total;
  return 0;
}

test("what is followed in 10,000 requests at once, of 100,000 shapes, is bounded and let go", () => {
  const templates = Array.from({ length: SHAPES }, (_, n) => shape(n));
  const quiet = { slowQueryMs: 0, slowQueries: { baseline: false }, eventLoop: { blockMs: 0 } } as const;
  const insights = createInsights({ ...quiet, nPlusOne: { minTotalMs: 0, minShare: 0 } });
  const stop = addListener(insights);
  try {
    const requests = Array.from({ length: REQUESTS }, begin);
    const first = begin();
    // What others keep of a shape, whose memory this is not about.
    for (const template of templates) endOperation(startDatabaseOperation(template, "", undefined, ROOT_CONTEXT));
    const unknown = heapBytes();
    for (const template of templates) endOperation(startDatabaseOperation(template, "", undefined, first.context));
    endOperation(first);
    const before = heapBytes();
    const shapesMb = (before - unknown) / 1e6;
    console.log(`100,000 shapes keep ${shapesMb.toFixed(0)} MB`);
    expect(shapesMb).toBeLessThan(25);
    const unfollowed = reached("requests.query_shapes");
    ask(requests, templates, 6);
    const heldMb = (heapBytes() - before) / 1e6;
    console.log(`10,000 requests that loop over 20 of 100,000 shapes hold ${heldMb.toFixed(0)} MB`);
    expect(reached("requests.query_shapes") - unfollowed).toBeGreaterThan(0);
    expect(heldMb).toBeLessThan(120);
    for (const request of requests.splice(0)) endOperation(request);
    const leftMb = (heapBytes() - before) / 1e6;
    console.log(`after their end ${leftMb.toFixed(1)} MB are left`);
    expect(leftMb).toBeLessThan(10);
    // And there is room again.
    const again = reached("requests.query_shapes");
    const next = begin();
    ask([next], templates, 1);
    endOperation(next);
    expect(reached("requests.query_shapes")).toBe(again);
  } finally {
    stop();
    insights.stop();
  }
}, 60_000);
