import {
  addListener,
  type DatabaseTemplate,
  endOperation,
  type HttpServerOperation,
  registerPool,
  reportKeyOf,
  startDatabaseOperation,
} from "@telltale/core";
import { collectGarbage } from "@telltale/test/memory";
import { beginRequest } from "@telltale/test/requests";
import { template } from "@telltale/test/template";
import { expect, test } from "vitest";
import { createInsights } from "../src/index.js";

// All detectors together, as they are without options; what the parts that grow most take is in `repeat-memory` and `cache-memory`.

const REQUESTS = 10_000;
const SHAPES = 100_000;
const EACH = SHAPES / REQUESTS;
const CONNECTIONS = 100;
const SLOW_MS = 250;

function shape(n: number, system: string): DatabaseTemplate {
  const queryText = `SELECT * FROM items${n} WHERE id = ?`;
  return template({
    system,
    querySummary: `SELECT items${n}`,
    queryText,
    fingerprint: n.toString(16).padStart(16, "0"),
  });
}

function heapMb(): number {
  for (let n = 0; n < 3; n++) collectGarbage();
  return process.memoryUsage().heapUsed / 1e6;
}

/** Requests that all run at once: each makes slow queries that no other makes, misses keys, and waits for a connection or has one. */
function open(first: number): HttpServerOperation[] {
  const { addConnection, taken, waits, close } = registerPool({
    name: "db",
    system: "postgresql",
    read: () => ({ used: CONNECTIONS, idle: 0, pending: REQUESTS - CONNECTIONS, limit: CONNECTIONS }),
  });
  const now = performance.now();
  const requests = Array.from({ length: REQUESTS }, (_, r) => {
    const served = beginRequest(`/things${r % 100}`);
    for (let n = 0; n < EACH; n++) {
      const query = shape(first + r * EACH + n, "postgresql");
      endOperation(startDatabaseOperation(query, query.queryText, [r, n], served.context, now - SLOW_MS));
      const lookup = startDatabaseOperation(shape(0, "redis"), undefined, undefined, served.context);
      reportKeyOf(lookup, "thing", `thing:${r}:${n}`, "miss");
      endOperation(lookup);
    }
    if (r < CONNECTIONS) taken(addConnection(), served.context, now);
    else waits(served.context, now);
    return served;
  });
  close();
  return requests;
}

/** What the requests take while they run, and what is left when they have ended, in MB. */
function measure(first = 0): { whileOpen: number; after: number } {
  const before = heapMb();
  const requests = open(first);
  const whileOpen = heapMb() - before;
  for (const served of requests.splice(0)) endOperation(served);
  return { whileOpen, after: heapMb() - before };
}

test("all detectors, 10,000 requests at once, 100,000 shapes of slow queries", { timeout: 120_000 }, () => {
  measure();
  const bare = measure();
  const insights = createInsights();
  const stop = addListener(insights);
  const watched = measure();
  expect(insights.topQueries(1)).toHaveLength(1);
  const others = measure(SHAPES);
  stop();
  insights.stop();
  const whileOpen = watched.whileOpen - bare.whileOpen;
  const after = watched.after - bare.after;
  const more = others.after - bare.after;
  console.log(
    `while they run ${whileOpen.toFixed(0)} MB, after it ${after.toFixed(0)} MB; after as many others ${more.toFixed(0)} MB more`,
  );
  expect(whileOpen).toBeLessThan(250);
  expect(after).toBeLessThan(50);
  expect(more).toBeLessThan(10);
});
