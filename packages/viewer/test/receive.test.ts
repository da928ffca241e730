import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { deflateSync, gzipSync } from "node:zlib";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Change } from "../src/api/answers.js";
import { createReceiver, type Receiver } from "../src/receive/create-receiver.js";
import { openStore, type Store } from "../src/store/open-store.js";
import { hex } from "./otlp-builders.js";

const PROTOBUF = "application/x-protobuf";
const JSON_TYPE = "application/json";

let store: Store;
let receiver: Receiver;
let server: Server;
let base: string;
const onChange = vi.fn<(change: Change) => void>();

beforeEach(async () => {
  store = await openStore();
  receiver = createReceiver(store, { onChange });
  server = createServer((request, response) => {
    void receiver.handle(request, response).then((isTaken) => isTaken || response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  onChange.mockClear();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await receiver.close();
  store.close();
});

async function post(body: string | Uint8Array, headers: Record<string, string>, path = "/v1/traces") {
  const response = await fetch(base + path, { method: "POST", body: Buffer.from(body), headers });
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

const countSpans = () => store.db.prepare("SELECT count(*) AS n FROM span").get()?.["n"];
const spanJson = (fields: object = {}) => ({ traceId: hex(1, 32), spanId: hex(1, 16), ...fields });
const tracesJson = (...spans: object[]) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

async function upstreamBytes(): Promise<Uint8Array> {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "shop" }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  provider.getTracer("test").startSpan("work").end();
  await provider.forceFlush();
  const spans: ReadableSpan[] = exporter.getFinishedSpans();
  return ProtobufTraceSerializer.serializeRequest(spans) ?? new Uint8Array();
}

describe("what is sent is kept", () => {
  test.each([
    ["identity", (body: Uint8Array) => body],
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ] as const)("protobuf of OpenTelemetry's own, %s", async (encoding, compress) => {
    const answer = await post(compress(await upstreamBytes()), {
      "content-type": PROTOBUF,
      "content-encoding": encoding,
    });
    expect(answer).toEqual({ status: 200, type: PROTOBUF, bytes: Buffer.alloc(0) });
    expect(store.db.prepare("SELECT name, service FROM span JOIN resource ON resource.id = resource_id").all()).toEqual(
      [{ name: "work", service: "shop" }],
    );
    expect(onChange.mock.calls).toEqual([[{ kinds: ["spans"], spans: 1 }]]);
  });

  test("JSON: traces, metrics and logs", async () => {
    const headers = { "content-type": `${JSON_TYPE}; charset=utf-8` };
    const finding = { eventName: "telltale.finding", body: { stringValue: "slow" } };
    const bodies = {
      "/v1/traces": tracesJson(spanJson()),
      "/v1/metrics": JSON.stringify({
        resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "m", gauge: { dataPoints: [{ asInt: "5" }] } }] }] }],
      }),
      "/v1/logs": JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [finding] }] }] }),
    };
    for (const [path, body] of Object.entries(bodies)) {
      const answer = await post(body, headers, path);
      expect([path, answer.status, String(answer.bytes)]).toEqual([path, 200, "{}"]);
    }
    expect(receiver.counters()).toMatchObject({
      spans: { held: 1 },
      points: { held: 1 },
      logs: { held: 1 },
      refused: {},
    });
    expect(onChange.mock.calls.map(([{ kinds }]) => kinds)).toEqual([["spans"], ["metrics"], ["logs", "findings"]]);
  });

  test("an empty request is fine", async () => {
    expect((await post("", { "content-type": PROTOBUF })).status).toBe(200);
    expect(onChange).not.toHaveBeenCalled();
  });

  test("what could not be kept of it is told, in both forms", async () => {
    const body = tracesJson(spanJson(), spanJson({ traceId: "x" }), spanJson({ spanId: "" }));
    const why = "a trace id must be 16 bytes (32 hexadecimal digits), not all 0";
    expect(JSON.parse(String((await post(body, { "content-type": JSON_TYPE })).bytes))).toEqual({
      partialSuccess: { rejectedSpans: "2", errorMessage: why },
    });
    // resource_spans, scope_spans, spans, of which the only one is empty.
    const answer = await post(Buffer.from([0x0a, 4, 0x12, 2, 0x12, 0]), { "content-type": PROTOBUF });
    // partial_success 1: rejected_spans 1, error_message 2.
    const inner = Buffer.concat([Buffer.from([0x08, 1, 0x12, why.length]), Buffer.from(why)]);
    expect(answer).toEqual({
      status: 200,
      type: PROTOBUF,
      bytes: Buffer.concat([Buffer.from([0x0a, inner.length]), inner]),
    });
    expect(receiver.counters().spans).toMatchObject({ received: 4, held: 1, dropped: 3 });
  });

  test("20,000 spans in one request: all of them, and nobody waits for the end", async () => {
    const spans = Array.from({ length: 20_000 }, (_, i) => spanJson({ spanId: hex(i + 1, 16), name: `span ${i}` }));
    const sending = post(tracesJson(...spans), { "content-type": JSON_TYPE });
    const seen = new Set<unknown>();
    while (countSpans() !== 20_000) {
      await fetch(`${base}/elsewhere`);
      seen.add(countSpans());
    }
    expect((await sending).status).toBe(200);
    // It was looked at while it was being written.
    expect(seen.size).toBeGreaterThan(5);
  });
});

describe("what is wrong is refused, with a reason", () => {
  const deep = `${'{"arrayValue":{"values":['.repeat(5_000)}{}${"]}}".repeat(5_000)}`;
  test.each<[string, string | Uint8Array, Record<string, string>, number, string, string]>([
    [
      "broken protobuf",
      Buffer.from([0x0a, 0xff]),
      { "content-type": PROTOBUF },
      400,
      "unreadable",
      "broken protobuf at byte 2",
    ],
    ["text as protobuf", "hello world", { "content-type": PROTOBUF }, 400, "unreadable", "broken protobuf"],
    ["broken JSON", "{", { "content-type": JSON_TYPE }, 400, "unreadable", "broken JSON"],
    [
      "wrong types",
      tracesJson({ name: 5 }),
      { "content-type": JSON_TYPE },
      400,
      "unreadable",
      "spans[0].name must be a string, and is number 5",
    ],
    [
      "deep nesting",
      tracesJson({ attributes: [{ value: "@" }] }).replace('"@"', deep),
      { "content-type": JSON_TYPE },
      400,
      "unreadable",
      "nested more than 100 deep",
    ],
    [
      "no content type",
      "{}",
      { "content-type": "" },
      415,
      "content type",
      "application/x-protobuf or application/json",
    ],
    ["another content type", "{}", { "content-type": "text/html" }, 415, "content type", 'got \\"text/html\\"'],
    [
      "another encoding",
      "{}",
      { "content-type": JSON_TYPE, "content-encoding": "br" },
      415,
      "content encoding",
      'gzip, deflate or identity, got \\"br\\"',
    ],
    [
      "no gzip",
      "{}",
      { "content-type": JSON_TYPE, "content-encoding": "gzip" },
      400,
      "broken compression",
      "not compressed as content-encoding says",
    ],
    [
      "half a gzip",
      gzipSync("x".repeat(1_000)).subarray(0, 20),
      { "content-type": JSON_TYPE, "content-encoding": "gzip" },
      400,
      "broken compression",
      "unexpected end of file",
    ],
    [
      "a gzip bomb",
      gzipSync(Buffer.alloc(70_000_000)),
      { "content-type": PROTOBUF, "content-encoding": "gzip" },
      413,
      "too large",
      "hold 67108864 bytes at most",
    ],
    [
      "too much JSON",
      " ".repeat(33 * 1024 * 1024),
      { "content-type": JSON_TYPE },
      413,
      "too large",
      "33554432 bytes at most",
    ],
  ])("%s", async (_, body, headers, status, reason, text) => {
    const answer = await post(body, headers);
    expect(answer.status).toBe(status);
    expect(String(answer.bytes)).toContain(text);
    expect(receiver.counters().refused).toEqual({ [reason]: 1 });
    expect(countSpans()).toBe(0);
    // And the next is none the worse for it.
    expect((await post(tracesJson(spanJson()), { "content-type": JSON_TYPE })).status).toBe(200);
  });

  test("many bombs at once, and a request among them", async () => {
    const bomb = gzipSync(Buffer.alloc(70_000_000));
    const headers = { "content-type": PROTOBUF, "content-encoding": "gzip" };
    const bombs = Array.from({ length: 4 }, () => post(bomb, headers));
    const good = post(tracesJson(spanJson()), { "content-type": JSON_TYPE });
    const statuses = (await Promise.all([...bombs, good])).map(({ status }) => status);
    expect(statuses).toEqual([...bombs.map(() => 413), 200]);
  });

  test("anything but POST", async () => {
    const response = await fetch(`${base}/v1/traces`);
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });

  test("other paths are for others", async () => {
    expect((await post("{}", { "content-type": JSON_TYPE }, "/v1/profiles")).status).toBe(404);
  });

  test("a body that ends before its time", async () => {
    const broken = httpRequest(`${base}/v1/traces`, {
      method: "POST",
      headers: { "content-type": JSON_TYPE, "content-length": 1_000 },
    });
    broken.on("error", () => {});
    broken.write('{"resourceSpans":');
    await new Promise((resolve) => server.once("request", resolve));
    broken.destroy();
    await vi.waitFor(() => expect(receiver.counters().refused).toEqual({ "cut off": 1 }));
  });

  test("what the database does not take", async () => {
    store.db.exec("CREATE TRIGGER full BEFORE INSERT ON span BEGIN SELECT raise(ABORT, 'disk is full'); END");
    const answer = await post(tracesJson(spanJson()), { "content-type": JSON_TYPE });
    expect([answer.status, String(answer.bytes)]).toEqual([
      503,
      '{"message":"the viewer\'s database takes no more: disk is full"}',
    ]);
    expect(receiver.counters().refused).toEqual({ "not written": 1 });
  });

  test("what comes faster than it can be written, until it no longer does", async () => {
    receiver = createReceiver(store, { maxWaitingBytes: 1_000 });
    const send = (spans: number) =>
      fetch(`${base}/v1/traces`, {
        method: "POST",
        body: tracesJson(...Array.from({ length: spans }, () => spanJson())),
        headers: { "content-type": JSON_TYPE },
      });
    const busy = await send(100);
    expect([busy.status, busy.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await busy.json()).toEqual({
      message: "more is sent than can be written: wait a second, and send it again",
    });
    // One after the other there is room for any number.
    for (let i = 0; i < 5; i += 1) expect((await send(5)).status).toBe(200);
    expect(receiver.counters()).toMatchObject({ refused: { busy: 1 }, spans: { held: 25 } });
  });

  test("what comes after the end", async () => {
    await receiver.close();
    expect((await post(tracesJson(spanJson()), { "content-type": JSON_TYPE })).status).toBe(503);
  });
});
