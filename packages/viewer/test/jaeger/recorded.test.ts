import { expect, test } from "vitest";
import { startViewer } from "../../src/start-viewer.js";
import { findWrong, structured, uiTrace, v3Traces } from "./shapes.js";

// What a real Jaeger makes of spans of OpenTelemetry, as it recorded it itself:
// cmd/jaeger/internal/extension/jaegerquery/internal/fixture/otlp2jaeger-{in,out}.json of github.com/jaegertracing/jaeger at
// 8498073ff809b1a3923521920a9b1b017ea97ecf (August 2026). There the span came twice; once is enough.

const traceId = "83a9efd15c1c98a977e0711cc93ee28b";
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const sent = {
  resourceSpans: [
    {
      resource: { attributes: [text("service.name", "telemetrygen")] },
      scopeSpans: [
        {
          scope: { name: "telemetrygen" },
          spans: [
            {
              traceId,
              spanId: "e127af99e3b3e074",
              parentSpanId: "909541b92cf05311",
              name: "okey-dokey-0",
              kind: 2,
              startTimeUnixNano: "1706678909209712000",
              endTimeUnixNano: "1706678909209835000",
              attributes: [text("net.peer.ip", "1.2.3.4"), text("peer.service", "telemetrygen-client")],
              status: {},
            },
          ],
        },
      ],
    },
  ],
};
const tag = (key: string, value: string) => ({ key, type: "string", value });
const recorded = {
  data: [
    {
      traceID: traceId,
      spans: [
        {
          traceID: traceId,
          spanID: "e127af99e3b3e074",
          operationName: "okey-dokey-0",
          references: [{ refType: "CHILD_OF", traceID: traceId, spanID: "909541b92cf05311" }],
          startTime: 1_706_678_909_209_712,
          duration: 123,
          tags: [
            tag("otel.scope.name", "telemetrygen"),
            tag("net.peer.ip", "1.2.3.4"),
            tag("peer.service", "telemetrygen-client"),
            tag("span.kind", "server"),
          ],
          logs: [],
          processID: "p1",
          warnings: null,
        },
      ],
      processes: { p1: { serviceName: "telemetrygen", tags: [] } },
      warnings: null,
    },
  ],
  total: 0,
  limit: 0,
  offset: 0,
  errors: null,
};

async function withViewer(request: object, check: (ask: (path: string) => Promise<Answer>) => Promise<void>) {
  const viewer = await startViewer({ port: 0, otlpPort: 0 });
  try {
    const received = await fetch(`${viewer.otlpUrl}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    expect(received.status).toBe(200);
    await check(async (path) => {
      const response = await fetch(viewer.url + path);
      expect(response.headers.get("content-type")).toMatch(/^application\/json/);
      return { status: response.status, body: await response.json() };
    });
  } finally {
    await viewer.close();
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

test("what Jaeger recorded is what the viewer answers, from OTLP in to HTTP out", () =>
  withViewer(sent, async (ask) => {
    expect(await ask("/api/services")).toMatchObject({ status: 200, body: { data: ["telemetrygen"] } });
    expect(await ask(`/api/traces/${traceId}`)).toEqual({ status: 200, body: recorded });
    expect(findWrong(structured(uiTrace), recorded)).toEqual([]);
    const { body } = await ask(`/api/v3/traces/${traceId}`);
    expect(findWrong(v3Traces, body)).toEqual([]);
    expect(body).toEqual({ result: sent });
    expect((await ask("/api/traces/1")).status).toBe(404);
  }));

// The same repository, internal/storage/v2/elasticsearch/tracestore/fixtures/{otel_traces,es}_01.json: a span with events and links. What
// the viewer does not keep is left out of both: the version of the scope, and that a value was bytes.
test("events and links, as Jaeger's storage recorded them", () => {
  const id = "00000000000000010000000000000000";
  const far = "00000000000000ff0000000000000000";
  const link = (of: string, spanId: string, type: string) => ({
    traceId: of,
    spanId,
    attributes: [text("opentracing.ref_type", type)],
  });
  const span = {
    traceId: id,
    spanId: "0000000000000002",
    parentSpanId: "0000000000000003",
    flags: 1,
    name: "test-general-conversion",
    startTimeUnixNano: "1485467191639875000",
    endTimeUnixNano: "1485467191639880000",
    attributes: [
      text("peer.service", "service-y"),
      { key: "peer.ipv4", value: { intValue: "23456" } },
      { key: "temperature", value: { doubleValue: 72.5 } },
    ],
    events: [
      { timeUnixNano: "1485467191639875000", name: "testing-event", attributes: [text("event-x", "event-y")] },
      { timeUnixNano: "1485467191639875000", attributes: [text("x", "y")] },
    ],
    links: [link(id, "0000000000000004", "follows_from"), link(far, "00000000000000ff", "child_of")],
    status: { code: 2 },
  };
  const resource = { attributes: [text("service.name", "service-x"), text("sdk.version", "1.2.1")] };
  const request = {
    resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "testing-library" }, spans: [span] }] }],
  };
  return withViewer(request, async (ask) => {
    const { body } = await ask(`/api/traces/${id}`);
    expect(findWrong(structured(uiTrace), body)).toEqual([]);
    const [trace] = (body as { data: { spans: { tags: object[] }[]; processes: object }[] }).data;
    expect(trace?.processes).toEqual({ p1: { serviceName: "service-x", tags: [tag("sdk.version", "1.2.1")] } });
    expect(trace?.spans[0]).toMatchObject({
      traceID: id,
      spanID: "0000000000000002",
      operationName: "test-general-conversion",
      references: [
        { refType: "CHILD_OF", traceID: id, spanID: "0000000000000003" },
        { refType: "FOLLOWS_FROM", traceID: id, spanID: "0000000000000004" },
        { refType: "CHILD_OF", traceID: far, spanID: "00000000000000ff" },
      ],
      startTime: 1_485_467_191_639_875,
      duration: 5,
      logs: [
        { timestamp: 1_485_467_191_639_875, fields: [tag("event", "testing-event"), tag("event-x", "event-y")] },
        { timestamp: 1_485_467_191_639_875, fields: [tag("x", "y")] },
      ],
    });
    expect(trace?.spans[0]?.tags).toEqual(
      expect.arrayContaining([
        tag("otel.scope.name", "testing-library"),
        tag("peer.service", "service-y"),
        { key: "peer.ipv4", type: "int64", value: 23_456 },
        { key: "temperature", type: "float64", value: 72.5 },
        { key: "error", type: "bool", value: true },
      ]),
    );
  });
});

// The same repository, …/internal/apiv3/snapshots: the check itself is right only if it takes what Jaeger answers.
test("the check of shapes takes what Jaeger recorded, and no other", () => {
  const id = "00000000000000000000000000000001";
  const span = { kind: 2, name: "foobar", spanId: "0000000000000002", status: { code: 2 }, traceId: id };
  const otlp = { result: { resourceSpans: [{ resource: {}, scopeSpans: [{ scope: {}, spans: [span] }] }] } };
  expect(findWrong(v3Traces, otlp)).toEqual([]);
  expect(findWrong(structured(uiTrace), recorded)).toEqual([]);
  const spoilt = structuredClone(recorded);
  Object.assign(spoilt.data[0]?.spans[0] ?? {}, { startTime: "1706678909209712" });
  expect(findWrong(structured(uiTrace), spoilt)).toHaveLength(1);
  expect(
    findWrong(v3Traces, { result: { resourceSpans: [{ resource: {}, scopeSpans: [{ spans: [span] }] }] } }),
  ).toHaveLength(1);
});
