import { setImmediate as turn } from "node:timers/promises";
import { addListener, type PoolReading, type PoolReporter, registerPool } from "@telltale/core";
import { collectGarbage } from "@telltale/test/memory";
import { afterEach, expect, test } from "vitest";
import { createMetrics, type Metrics, type MetricsOptions } from "../src/index.js";
import { values } from "./operations.js";

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

function start(options: MetricsOptions = {}): Metrics {
  const metrics = createMetrics({ runtime: false, ...options });
  undo.push(addListener(metrics.listener));
  return metrics;
}

function pool(name: string, reading: () => PoolReading | undefined, system: string | undefined): PoolReporter {
  const reporter = registerPool({ name, system, read: reading });
  undo.push(reporter.close);
  return reporter;
}

const MAIN = { "db.client.connection.pool.name": "main", "db.system.name": "postgresql" };

test("gauges are what the pool says at each collection", async () => {
  const metrics = start();
  let reading: PoolReading = { used: 7, idle: 3, pending: 50, limit: 10 };
  pool("main", () => reading, "postgresql");
  expect(await values(metrics, "db.client.connection.count")).toEqual([
    [{ ...MAIN, "db.client.connection.state": "used" }, 7],
    [{ ...MAIN, "db.client.connection.state": "idle" }, 3],
  ]);
  expect(await values(metrics, "db.client.connection.pending_requests")).toEqual([[MAIN, 50]]);
  expect(await values(metrics, "db.client.connection.limit")).toEqual([[MAIN, 10]]);
  expect(await values(metrics, "db.client.connection.idle.min")).toEqual([]);
  reading = { used: 0, idle: 10, pending: 0, limit: 10, idleMin: 2 };
  expect((await values(metrics, "db.client.connection.count")).map(([, value]) => value)).toEqual([0, 10]);
  expect(await values(metrics, "db.client.connection.idle.min")).toEqual([[MAIN, 2]]);
});

test("waits, uses, creations and time-outs are kept per pool", async () => {
  const metrics = start();
  const main = pool("main", () => ({ used: 0, idle: 0, pending: 0 }), "postgresql");
  const threads = pool("threads", () => ({ used: 0, idle: 0, pending: 0 }), undefined);
  main.timed("wait", 20);
  main.timed("wait", 60);
  main.timed("create", 3);
  threads.timed("use", 1000);
  main.timedOut();
  expect(await values(metrics, "db.client.connection.wait_time")).toEqual([
    [MAIN, expect.objectContaining({ count: 2, sum: 0.08, min: 0.02, max: 0.06 })],
  ]);
  expect(await values(metrics, "db.client.connection.create_time")).toEqual([
    [MAIN, expect.objectContaining({ count: 1, sum: 0.003 })],
  ]);
  expect(await values(metrics, "telltale.pool.use_time")).toEqual([
    [{ "telltale.pool.name": "threads" }, expect.objectContaining({ count: 1, sum: 1 })],
  ]);
  // Zero from the start, so that an alert on its increase sees the first one.
  expect(await values(metrics, "db.client.connection.timeouts")).toEqual([[MAIN, 1]]);
  expect(await values(metrics, "telltale.pool.timeouts")).toEqual([[{ "telltale.pool.name": "threads" }, 0]]);
});

test("a pool of other things than connections to a database is not named one", async () => {
  const metrics = start();
  const threads = pool("threads", () => ({ used: 1, idle: 2, pending: 3, limit: 4, idleMin: 5 }), undefined);
  for (const what of ["wait", "create", "use"] as const) threads.timed(what, 20);
  threads.timedOut();
  const THREADS = { "telltale.pool.name": "threads" };
  const names = ["count", "pending_requests", "limit", "idle.min", "timeouts", "wait_time", "create_time", "use_time"];
  for (const name of names) expect(await values(metrics, `db.client.connection.${name}`), name).toEqual([]);
  expect(await values(metrics, "telltale.pool.resources")).toEqual([
    [{ ...THREADS, "telltale.pool.state": "used" }, 1],
    [{ ...THREADS, "telltale.pool.state": "idle" }, 2],
  ]);
  const numbers = { timeouts: 1, pending_requests: 3, limit: 4, "idle.min": 5 };
  for (const [name, value] of Object.entries(numbers)) {
    expect(await values(metrics, `telltale.pool.${name}`), name).toEqual([[THREADS, value]]);
  }
  for (const name of ["wait_time", "create_time", "use_time"]) {
    expect(await values(metrics, `telltale.pool.${name}`), name).toEqual([
      [THREADS, expect.objectContaining({ count: 1, sum: 0.02 })],
    ]);
  }
});

test("an ended pool leaves nothing, and its successor of the same name begins at zero", async () => {
  const metrics = start();
  const first = pool("main", () => ({ used: 1, idle: 0, pending: 0 }), "postgresql");
  first.timed("wait", 20);
  first.timedOut();
  expect(await values(metrics, "db.client.connection.timeouts")).toEqual([[MAIN, 1]]);
  first.close();
  // A connection given back after the end.
  first.timed("use", 5);
  for (const name of ["count", "pending_requests", "timeouts", "wait_time", "use_time"]) {
    expect(await values(metrics, `db.client.connection.${name}`), name).toEqual([]);
  }
  pool("main", () => ({ used: 2, idle: 0, pending: 0 }), "postgresql");
  expect(await values(metrics, "db.client.connection.timeouts")).toEqual([[MAIN, 0]]);
  expect(await values(metrics, "db.client.connection.wait_time")).toEqual([]);
});

test("a pool that says it has ended leaves", async () => {
  const metrics = start();
  let reading: PoolReading | undefined = { used: 1, idle: 0, pending: 0 };
  pool("main", () => reading, "postgresql");
  expect(await values(metrics, "db.client.connection.count")).toHaveLength(2);
  reading = undefined;
  expect(await values(metrics, "db.client.connection.count")).toEqual([]);
});

test("pools that end while nobody collects are forgotten, and take nobody's place", async () => {
  const metrics = start({ maxSeriesPerMetric: 8 });
  const ended = Array.from({ length: 100 }, (_, n) => {
    const brief = registerPool({ name: `brief-${n}`, system: "postgresql", read: () => undefined });
    brief.timed("wait", 20);
    brief.close();
    return new WeakRef(brief.pool);
  });
  pool("main", () => ({ used: 1, idle: 0, pending: 0 }), "postgresql").timedOut();
  await turn();
  collectGarbage();
  // Three pools have series of their own here.
  expect(ended.filter((one) => one.deref() !== undefined).length).toBeLessThanOrEqual(3);
  expect(await values(metrics, "db.client.connection.timeouts")).toEqual([[MAIN, 1]]);
});

test("a pool that cannot answer once keeps what was counted", async () => {
  const metrics = start();
  let fails = false;
  const read = () => {
    if (fails) throw new Error("no answer");
    return { used: 1, idle: 0, pending: 0 };
  };
  pool("main", read, "postgresql").timedOut();
  fails = true;
  expect(await values(metrics, "db.client.connection.timeouts")).toEqual([]);
  fails = false;
  expect(await values(metrics, "db.client.connection.timeouts")).toEqual([[MAIN, 1]]);
});

test("a pool that fails to answer hides no other", async () => {
  const metrics = start();
  pool(
    "broken",
    () => {
      throw new Error("no answer");
    },
    "postgresql",
  );
  pool("main", () => ({ used: 1, idle: 2, pending: 0 }), "postgresql");
  expect(await values(metrics, "db.client.connection.count")).toEqual([
    [{ ...MAIN, "db.client.connection.state": "used" }, 1],
    [{ ...MAIN, "db.client.connection.state": "idle" }, 2],
  ]);
});

test("connections of HTTP clients are added up by server, and are no pool's of a database", async () => {
  const metrics = start();
  const http = (n: number, port: number | undefined, limit?: number) => {
    const place = { address: "api.example", port };
    const read = () => ({ used: n, idle: 2 * n, pending: 3 * n, limit });
    const reporter = registerPool({ name: "https://api.example", system: undefined, http: place, read });
    undo.push(reporter.close);
    return reporter;
  };
  const [first, second] = [http(1, 443, 4), http(10, 443, 6)];
  http(5, 8443);
  first.timed("wait", 20);
  second.timed("wait", 60);
  const [server, other] = [443, 8443].map((port) => ({ "server.address": "api.example", "server.port": port }));
  const connections = () => values(metrics, "http.client.open_connections");
  expect(await connections()).toEqual([
    [{ ...server, "http.connection.state": "active" }, 11],
    [{ ...server, "http.connection.state": "idle" }, 22],
    [{ ...other, "http.connection.state": "active" }, 5],
    [{ ...other, "http.connection.state": "idle" }, 10],
  ]);
  expect(await values(metrics, "telltale.http.client.pending_requests")).toEqual([
    [server, 33],
    [other, 15],
  ]);
  expect(await values(metrics, "telltale.http.client.connection.limit")).toEqual([[server, 10]]);
  expect(await values(metrics, "telltale.http.client.connection.wait_time")).toEqual([
    [server, expect.objectContaining({ count: 2, sum: 0.08 })],
  ]);
  for (const name of ["count", "pending_requests", "limit", "timeouts", "wait_time"]) {
    expect(await values(metrics, `db.client.connection.${name}`), name).toEqual([]);
  }
  second.close();
  expect((await connections()).slice(0, 2).map(([, value]) => value)).toEqual([1, 2]);
  // One that has no limit: then all together have none.
  http(1, 443);
  expect(await values(metrics, "telltale.http.client.connection.limit")).toEqual([]);
});

test("pools beyond the bound are added up in one", async () => {
  const metrics = start({ maxSeriesPerMetric: 8 });
  for (let n = 0; n < 5; n++) pool(`pool-${n}`, () => ({ used: 1, idle: 2, pending: 3, limit: 4 }), "redis");
  const overflow = { "otel.metric.overflow": true };
  for (let round = 0; round < 2; round++) {
    expect((await values(metrics, "db.client.connection.count")).slice(6)).toEqual([
      [{ ...overflow, "db.client.connection.state": "used" }, 2],
      [{ ...overflow, "db.client.connection.state": "idle" }, 4],
    ]);
    expect((await values(metrics, "db.client.connection.limit")).at(-1)).toEqual([overflow, 8]);
  }
});
