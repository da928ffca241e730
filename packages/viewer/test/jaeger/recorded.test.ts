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

test("what Jaeger recorded is what the viewer answers, from OTLP in to HTTP out", async () => {
  const viewer = await startViewer({ port: 0, otlpPort: 0 });
  try {
    const received = await fetch(`${viewer.otlpUrl}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(sent),
    });
    expect(received.status).toBe(200);
    const ask = async (path: string) => {
      const response = await fetch(viewer.url + path);
      expect(response.headers.get("content-type")).toMatch(/^application\/json/);
      return response.json();
    };
    await expect.poll(() => ask("/api/services")).toMatchObject({ data: ["telemetrygen"] });
    const answer = await ask(`/api/traces/${traceId}`);
    expect(answer).toEqual(recorded);
    expect(findWrong(structured(uiTrace), answer)).toEqual([]);
    const otlp = await ask(`/api/v3/traces/${traceId}`);
    expect(findWrong(v3Traces, otlp)).toEqual([]);
    expect(otlp).toEqual({ result: sent });
    const missing = await fetch(`${viewer.url}/api/traces/1`);
    expect(missing.status).toBe(404);
  } finally {
    await viewer.close();
  }
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
