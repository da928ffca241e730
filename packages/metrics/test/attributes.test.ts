import { setTimeout as sleep } from "node:timers/promises";
import { createRequire } from "node:module";
import { addListener, count, defineInstrumentation, METRIC_ATTRIBUTES, METRICS, registerPool } from "@telltale/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMetrics } from "../src/index.js";
import { FINDING, query, sent, served, template } from "./operations.js";

/** Attributes of all points, by name of the metric. */
const recorded = new Map<string, Set<string>>();
const metrics = createMetrics();
const undo: (() => void)[] = [metrics.stop];

beforeAll(async () => {
  const { listener, producer } = metrics;
  undo.push(addListener(listener));
  const pool = registerPool({
    name: "shop",
    system: "postgresql",
    read: () => ({ used: 1, idle: 1, pending: 0, limit: 5, idleMin: 1 }),
  });
  const http = registerPool({
    name: "https://api.example",
    system: undefined,
    http: { address: "api.example", port: 443 },
    read: () => ({ used: 1, idle: 1, pending: 0, limit: 5 }),
  });
  const workers = registerPool({
    name: "workers",
    system: undefined,
    read: () => ({ used: 1, idle: 1, pending: 0, limit: 5, idleMin: 1 }),
  });
  undo.push(pool.close, http.close, workers.close);
  const libraries = defineInstrumentation({
    name: "test",
    modules: [{ module: "express", majors: [4, 5], patch: () => () => {} }],
  });
  libraries.enable();
  undo.push(libraries.disable);
  createRequire(import.meta.url)("express");
  for (const lending of [pool, workers]) {
    for (const what of ["wait", "create", "use"] as const) lending.timed(what, 1);
    lending.timedOut();
  }
  http.timed("wait", 1);

  // Everything that may be known of an operation is known of one of these.
  const request = served(5, "/orders", { statusCode: 500, errorType: "500" });
  const operations = [
    Object.assign(query(template(), 5, "23505"), { request: request.request }),
    request,
    sent(5, { statusCode: 500, errorType: "500" }),
  ];
  for (const operation of operations) {
    listener.operationStarted?.(operation);
    operation.endMs = operation.startMs + 5;
    listener.operationEnded?.(operation);
  }
  listener.cacheLooked?.({ cache: "product", result: "hit", keys: 1, system: "redis", request: undefined });
  listener.findingMade?.(FINDING);
  listener.findingMade?.({ ...FINDING, accepted: true });
  count("telltale.spans", "telltale.outcome", "exported");
  count("telltale.labels.overflow", "telltale.label", "http.route");
  count("telltale.limits.reached", "telltale.limit", "query text");
  count("telltale.instrumentation.errors", "telltale.part", "pg");
  count("telltale.metrics.dropped", "telltale.reason", "name");
  // A collection of garbage, and some samples of the event loop.
  for (let n = 0; n < 50; n++) Array.from({ length: 50_000 }, () => ({}));
  await sleep(50);

  const { resourceMetrics } = await producer.collect();
  for (const { descriptor, dataPoints } of resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)) {
    recorded.set(descriptor.name, new Set(dataPoints.flatMap(({ attributes }) => Object.keys(attributes))));
  }
});
afterAll(() => {
  for (const step of undo) step();
});

const names = Object.keys(METRICS) as (keyof typeof METRICS)[];

test.each(names)("%s has the attributes that METRIC_ATTRIBUTES lists, and no other", (key) => {
  const { name } = METRICS[key];
  expect([...(recorded.get(name) ?? ["not recorded"])].toSorted()).toEqual([...METRIC_ATTRIBUTES[key]].toSorted());
});

test("nothing is recorded that METRICS does not list", () => {
  const listed = new Set<string>(Object.values(METRICS).map(({ name }) => name));
  expect([...recorded.keys()].filter((name) => !listed.has(name))).toEqual([]);
});
