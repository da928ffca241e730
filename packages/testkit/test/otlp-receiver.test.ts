import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { afterEach, describe, expect, test } from "vitest";
import { type OtlpReceiver, startOtlpReceiver } from "../src/index.js";

const require = createRequire(import.meta.url);
type ExporterModule = { OTLPTraceExporter: new (config: object) => SpanExporter };
let receiver: OtlpReceiver;
afterEach(() => receiver.close());

// The real encoders of OpenTelemetry, over the wire.
describe.each(["@opentelemetry/exporter-trace-otlp-proto", "@opentelemetry/exporter-trace-otlp-http"])(
  "%s",
  (module) => {
    test.each(["none", "gzip"])("what was recorded arrives, compression %s", async (compression) => {
      receiver = await startOtlpReceiver();
      const { OTLPTraceExporter } = require(module) as ExporterModule;
      const exporter = new OTLPTraceExporter({ url: `${receiver.url}/v1/traces`, compression });
      const provider = new TracerProvider({
        resource: resourceFromAttributes({ "service.name": "shop" }),
        spanProcessors: [new BatchSpanProcessor({ exporter })],
      });
      const linked = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
      const span = provider.getTracer("scope").startSpan("wörk ✓", {
        kind: SpanKind.CLIENT,
        startTime: [1_700_000_000, 123_456_789],
        attributes: { text: "ü", yes: true, int: -7, big: 2 ** 40, half: 0.5, list: ["a", "b"], none: "" },
        links: [{ context: linked, attributes: { l: 1 } }],
      });
      span.addEvent("event", { e: 2 });
      span.setStatus({ code: SpanStatusCode.ERROR, message: "bad" });
      span.end([1_700_000_001, 5]);
      await provider.forceFlush();
      const [received] = await receiver.waitForSpans((spans) => spans.length === 1);
      expect(received).toEqual({
        traceId: span.spanContext().traceId,
        spanId: span.spanContext().spanId,
        parentSpanId: undefined,
        name: "wörk ✓",
        kind: "client",
        startNs: 1_700_000_000_123_456_789n,
        endNs: 1_700_000_001_000_000_005n,
        attributes: { text: "ü", yes: true, int: -7, big: 2 ** 40, half: 0.5, list: ["a", "b"], none: "" },
        status: { code: "error", message: "bad" },
        events: [{ name: "event", attributes: { e: 2 } }],
        links: [{ traceId: linked.traceId, spanId: linked.spanId, attributes: { l: 1 } }],
        resource: expect.objectContaining({ "service.name": "shop" }),
        scope: "scope",
      });
      await provider.shutdown();
    });
  },
);

test("broken input is refused with the reason, and harms nothing", async () => {
  receiver = await startOtlpReceiver();
  const post = (path: string, body: Uint8Array | string, type = "application/x-protobuf") =>
    fetch(receiver.url + path, { method: "POST", body: Buffer.from(body), headers: { "content-type": type } });
  expect((await post("/v1/traces", new Uint8Array([0x0a, 0xff]))).status).toBe(400);
  expect((await post("/v1/traces", "{", "application/json")).status).toBe(400);
  expect((await post("/v2/traces", "")).status).toBe(404);
  expect(receiver.spans).toEqual([]);
  receiver.behaviour = 503;
  expect((await post("/v1/traces", "")).status).toBe(503);
});

test("what is handed on arrives there as it was sent, and is kept here; whether it is taken makes no difference", async () => {
  const second = await startOtlpReceiver();
  receiver = await startOtlpReceiver({ forwardTo: second.url });
  const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", name: "handed on" };
  const body = gzipSync(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  const post = () => fetch(`${receiver.url}/v1/traces`, { method: "POST", headers, body: new Uint8Array(body) });
  expect((await post()).status).toBe(200);
  expect(second.spans.map(({ name }) => name)).toEqual(["handed on"]);
  expect(receiver.spans).toEqual(second.spans);
  await second.close();
  expect((await post()).status).toBe(200);
  expect(receiver.spans).toHaveLength(2);
});

test("waiting in vain says what has come", async () => {
  receiver = await startOtlpReceiver();
  await expect(receiver.waitForSpans((spans) => spans.length > 0, 50)).rejects.toThrow(
    "waited 50 ms for spans; so far: none",
  );
});
