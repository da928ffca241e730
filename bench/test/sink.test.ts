import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { describe, expect, test } from "vitest";
import { answer } from "../src/sink/answer.js";

const none = new URLSearchParams();
const text = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

test("OTLP: spans of several scopes, whatever they carry", () => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  for (const [scope, count] of [
    ["one", 3],
    ["two", 40],
  ] as const) {
    for (let i = 0; i < count; i++) {
      const span = provider
        .getTracer(scope)
        .startSpan("a".repeat(i * 10), { attributes: { text: "ü", n: i, list: [1, 2] } });
      span.addEvent("event").addLink({ context: span.spanContext() });
      span.setStatus({ code: 2, message: "x" }).end();
    }
  }
  const body = ProtobufTraceSerializer.serializeRequest(exporter.getFinishedSpans()) ?? new Uint8Array();
  expect(answer("/v1/traces", none, body, 1).spans).toBe(43);
});

// Written by hand from the specification of MessagePack: https://github.com/msgpack/msgpack/blob/master/spec.md
const TRACES = [
  // Two traces: [{a: 258, b: nil}, {}]
  [0x92, 0x92, 0x82, 0xa1, 0x61, 0xcd, 1, 2, 0xa1, 0x62, 0xc0, 0x80],
  // and [{c: [0.0, -1]}].
  [0xdc, 0, 1, 0x81, 0xd9, 1, 0x63, 0x92, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0, 0xff],
].flat();

describe("Datadog", () => {
  test("v0.4", () => {
    expect(answer("/v0.4/traces", none, Uint8Array.from(TRACES), 1).spans).toBe(3);
  });

  test("v0.5 has strings before the traces", () => {
    const body = Uint8Array.from([0x92, 0x92, 0xa1, 0x61, 0xa0, ...TRACES]);
    expect(answer("/v0.5/traces", none, body, 1).spans).toBe(3);
  });

  test("is told what the agent can do", () => {
    expect(JSON.parse(answer("/info", none, new Uint8Array(), 1).body)).toMatchObject({
      endpoints: expect.arrayContaining(["/v0.4/traces"]),
    });
  });
});

test("Sentry: a transaction is a span, with more in it", () => {
  const lines = [
    { event_id: "1" },
    { type: "transaction" },
    { spans: [{}, {}] },
    { type: "sessions" },
    {},
    { type: "span", item_count: 2 },
    { items: [{}, {}] },
  ];
  const body = text(lines.map((line) => JSON.stringify(line)).join("\n"));
  expect(answer("/api/1/envelope/", none, body, 1).spans).toBe(5);
});

describe("New Relic", () => {
  const ask = (method: string, body: unknown = []) =>
    answer("/agent_listener/invoke_raw_method", new URLSearchParams({ method }), text(body), 4711);

  test("is sent to the port that it has come to", () => {
    expect(JSON.parse(ask("preconnect").body)).toEqual({ return_value: { redirect_host: "localhost:4711" } });
  });

  test("counts what it harvests", () => {
    expect(ask("span_event_data", ["1", { events_seen: 3 }, [[], [], []]]).spans).toBe(3);
    expect(ask("metric_data", ["1"]).spans).toBe(0);
  });
});
