import { Socket } from "node:net";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { addListener, endOperation, startDatabaseOperation } from "@telltale/core";
import { createSharedReader } from "@telltale/exporter-prometheus";
import { createMetrics } from "@telltale/metrics";
import { makeTemplates } from "../query-templates.js";
import type { Asked, Told } from "./messages.js";

// One process of many behind one endpoint, with so many histograms of its own that all of them have.
const [, , port, histograms] = process.argv.map(Number) as [number, number, number, number];
const metrics = createMetrics({ runtime: false, maxSeriesPerMetric: 1e6, maxSummaries: 1e6 });
addListener(metrics.listener);
const templates = makeTemplates(histograms);
const shared = createSharedReader({ port, service: "bench merge", metricProducers: [metrics.producer] });
void new MeterProvider({ readers: [shared.reader] });

// All that is written to others goes through here.
let bytes = 0;
const { write } = Socket.prototype;
Socket.prototype.write = function count(this: Socket, ...args: unknown[]): boolean {
  if (Buffer.isBuffer(args[0])) bytes += args[0].length;
  return Reflect.apply(write, this, args) as boolean;
} as typeof write;

let longestMs = 0;
let watching = false;
let lastUs = 0;

/** The longest turn of the event loop, in CPU time: on a machine with more processes than cores the clock tells of the others. */
function watch(): void {
  const { user, system } = process.threadCpuUsage();
  longestMs = Math.max(longestMs, (user + system - lastUs) / 1000);
  lastUs = user + system;
  if (watching) setImmediate(watch);
}

process.on("message", ({ record, watch: wanted }: Asked) => {
  for (let n = 0; n < record * histograms; n++) {
    const template = templates[n] as (typeof templates)[number];
    endOperation(startDatabaseOperation(template, undefined, undefined, ROOT_CONTEXT));
  }
  const { user, system } = process.cpuUsage();
  const told: Told = { cpuMs: (user + system) / 1000, bytes, longestMs };
  process.send?.(told);
  longestMs = 0;
  if (wanted && !watching) {
    const now = process.threadCpuUsage();
    lastUs = now.user + now.system;
    setImmediate(watch);
  }
  watching = wanted;
});
process.on("disconnect", () => process.exit(0));
await shared.listening;
process.send?.({ cpuMs: 0, bytes: 0, longestMs: 0 } satisfies Told);
