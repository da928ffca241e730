import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import { selfCounters } from "@telltale/core";
import { type Behaviour, type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import { createTracerProvider, SpanExport } from "@telltale/tracing";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { createSpanDelivery } from "../src/otlp/exporters.js";
import { createTracing } from "../src/tracing.js";
import { readPartialSuccess, readPartialSuccessJson } from "../src/otlp/partial-success.js";

// The engine, the sender and a real receiver, which fails in the middle of load.

const MAX_QUEUE = 400;
let receiver: OtlpReceiver | undefined;
afterEach(() => receiver?.close());

const outcomes = () =>
  Object.fromEntries(
    ["exported", "dropped", "rejected"].map((outcome) => [
      outcome,
      [...selfCounters()].find(({ metric, value }) => metric === "telltale.spans" && value === outcome)?.total ?? 0,
    ]),
  ) as Record<"exported" | "dropped" | "rejected", number>;

function startLoad(url: string) {
  const { deliver } = createSpanDelivery({ url: `${url}/v1/traces`, timeoutMs: 300 });
  const spans = new SpanExport({ deliver, maxQueueSize: MAX_QUEUE, maxExportBatchSize: 20, scheduledDelayMs: 20 });
  const tracer = createTracerProvider({ resource: emptyResource(), export: spans }).getTracer("load");
  const before = outcomes();
  let ended = 0;
  return {
    spans,
    /** Ends spans for some time; the most that ever waited. */
    async load(ms: number): Promise<number> {
      let most = 0;
      for (const until = performance.now() + ms; performance.now() < until; await pause(2)) {
        for (let n = 0; n < 5; n++) tracer.startSpan(`s${ended++}`, {}, ROOT_CONTEXT).end();
        most = Math.max(most, spans.size);
      }
      return most;
    },
    ended: () => ended,
    since() {
      const now = outcomes();
      return {
        exported: now.exported - before.exported,
        dropped: now.dropped - before.dropped,
        rejected: now.rejected - before.rejected,
      };
    },
  };
}

test.each<Behaviour>(["hang", "reset", 429, 503, 400, 500])(
  "a collector that answers %s under load: bounded, counted, and delivery resumes",
  async (behaviour) => {
    receiver = await startOtlpReceiver();
    const { spans, load, ended, since } = startLoad(receiver.url);
    await load(200);
    receiver.behaviour = behaviour;
    // What is on its way is not in the queue, and is a batch at most.
    expect(await load(1_200)).toBeLessThanOrEqual(MAX_QUEUE + 20);
    receiver.behaviour = "ok";
    const arrived = receiver.spans.length;
    await load(900);
    await spans.forceFlush();
    expect(receiver.spans.length).toBeGreaterThan(arrived + 100);
    const { exported, dropped, rejected } = since();
    expect(spans.size).toBe(0);
    expect(exported + dropped + rejected).toBe(ended());
    expect(dropped).toBeGreaterThan(0);
    // What counts as delivered has arrived: none is missing, none came twice.
    const names = receiver.spans.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBe(exported);
  },
);

test("a collector that is not there for a while", async () => {
  receiver = await startOtlpReceiver();
  const port = Number(new URL(receiver.url).port);
  const { spans, load, ended, since } = startLoad(receiver.url);
  await load(200);
  await receiver.close();
  const first = receiver.spans.map(({ name }) => name);
  await load(800);
  receiver = await startOtlpReceiver({ port });
  await load(900);
  await spans.forceFlush();
  const { exported, dropped } = since();
  expect(exported + dropped).toBe(ended());
  // A batch may have arrived though its answer was lost with the connection; then it came twice, or counts as dropped.
  const arrived = new Set([...first, ...receiver.spans.map(({ name }) => name)]);
  expect(arrived.size).toBeGreaterThanOrEqual(exported);
  expect(receiver.spans.length).toBeGreaterThan(100);
});

const refusals = {
  // ExportTraceServiceResponse { partial_success { rejected_spans: 3, error_message: "no" } }
  "http/protobuf": Buffer.from([0x0a, 0x06, 0x08, 0x03, 0x12, 0x02, 0x6e, 0x6f]),
  "http/json": Buffer.from('{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}'),
} as const;

test.each([
  ["telltale", "http/protobuf"],
  ["sdk", "http/protobuf"],
  ["telltale", "http/json"],
] as const)(
  "spans that a collector refuses of a request it takes are counted apart: engine %s, %s",
  async (engine, protocol) => {
    const server = createServer((request, response) =>
      request.resume().on("end", () => response.end(refusals[protocol])),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close().closeAllConnections());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
    const { provider } = createTracing({ engine, traces: { url, protocol } }, emptyResource());
    const before = outcomes();
    for (let n = 0; n < 10; n++) provider?.getTracer("app").startSpan("s", {}, ROOT_CONTEXT).end();
    await provider?.shutdown();
    const now = outcomes();
    expect([now.exported - before.exported, now.rejected - before.rejected, now.dropped - before.dropped]).toEqual([
      7, 3, 0,
    ]);
  },
);

test.each([
  ["nothing", [], 0, ""],
  ["no partial success", [0x0a, 0x00], 0, ""],
  ["a message only", [0x0a, 0x04, 0x12, 0x02, 0x6e, 0x6f], 0, "no"],
  ["three", [0x0a, 0x02, 0x08, 0x03], 3, ""],
  ["three and why", [0x0a, 0x06, 0x08, 0x03, 0x12, 0x02, 0x6e, 0x6f], 3, "no"],
  ["more than a byte holds", [0x0a, 0x03, 0x08, 0xac, 0x02], 300, ""],
  ["cut short", [0x0a, 0x09, 0x08], 0, ""],
  ["no protobuf", [...Buffer.from("<html>")], 0, ""],
])("an answer that says %s", (_, bytes, rejected, message) => {
  expect(readPartialSuccess(Uint8Array.from(bytes))).toEqual({ rejected, message });
});

test.each([
  ["", 0, ""],
  ["{}", 0, ""],
  ["[]", 0, ""],
  ["null", 0, ""],
  ['{"partialSuccess":{}}', 0, ""],
  ['{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}', 3, "no"],
  ['{"partialSuccess":{"rejectedDataPoints":4}}', 4, ""],
  ['{"partialSuccess":{"rejectedSpans":"many","errorMessage":7}}', 0, ""],
])("an answer in JSON: %s", (text, rejected, message) => {
  expect(readPartialSuccessJson(Buffer.from(text))).toEqual({ rejected, message });
});

test.each(["http/protobuf", "http/json"] as const)("data points refused over %s are told once", async (protocol) => {
  const server = createServer((request, response) =>
    request.resume().on("end", () => response.end(refusals[protocol])),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  // What is said once in a process is said by modules of its own for each.
  vi.resetModules();
  const { setSay } = await import("@telltale/core");
  const lines: string[] = [];
  setSay((level, line) => void (level === "info" && lines.push(line)));
  const { createMetricExporter } = await import("../src/otlp/exporters.js");
  const exporter = createMetricExporter({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`,
    protocol,
  });
  for (let n = 0; n < 2; n++) {
    exporter.export({ resource: emptyResource(), scopeMetrics: [] }, () => {});
    await exporter.forceFlush();
  }
  expect(lines).toEqual([expect.stringMatching(/^http:.* refused 3 data points of a request that it took: no$/)]);
});
