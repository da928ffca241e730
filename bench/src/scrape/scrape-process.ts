import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { addListener, endOperation, startDatabaseOperation } from "@telltale/core";
import { createPrometheusHandler } from "@telltale/exporter-prometheus";
import { createMetrics } from "@telltale/metrics";
import { makeTemplates } from "../query-templates.js";

// A service with many series. Its event loop turns all the time, so that whatever holds it up shows as a long turn.

/** Series that a histogram of a query has: ten buckets, sum and count. */
const PER_TEMPLATE = 12;
const templates = makeTemplates(Math.ceil(Number(process.argv[2]) / PER_TEMPLATE));
const metrics = createMetrics({ maxSeriesPerMetric: templates.length, maxSummaries: templates.length, runtime: false });
const { reader, handler } = createPrometheusHandler({ metricProducers: [metrics.producer] });
const provider = new MeterProvider({ readers: [reader] });
addListener(metrics.listener);

/** Between two scrapes every series gets some, as in a busy service. */
function record(): void {
  for (const template of templates) endOperation(startDatabaseOperation(template, undefined, undefined, ROOT_CONTEXT));
}

let lastTurn = performance.now();
let longestMs = 0;
function turn(): void {
  const now = performance.now();
  longestMs = Math.max(longestMs, now - lastTurn);
  lastTurn = now;
  setImmediate(turn);
}
turn();

const server = createServer(handler).listen(0, "127.0.0.1", () => {
  process.send?.({ answer: "listening", port: (server.address() as AddressInfo).port });
});

process.on("message", ({ ask }: { ask: string }) => {
  if (ask === "longest") process.send?.({ answer: "longest", ms: longestMs });
  else {
    record();
    process.send?.({ answer: "begin" });
    setImmediate(() => {
      lastTurn = performance.now();
      longestMs = 0;
    });
  }
});
process.on("disconnect", () => {
  void provider.shutdown();
  process.exit();
});
