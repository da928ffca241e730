import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerJaeger } from "../../src/jaeger/answer-jaeger.js";
import { readTrace, type TraceRows } from "../../src/jaeger/read-spans.js";
import { toUiTrace } from "../../src/jaeger/ui-trace.js";
import type { Store } from "../../src/store/open-store.js";
import { keepSpans, START_US, TRACE_ID } from "./keep-spans.js";
import {
  findWrong,
  names,
  structured,
  uiDependencies,
  uiOperations,
  uiTrace,
  v3Error,
  v3Operations,
  v3Services,
  v3Summaries,
  v3Traces,
} from "./shapes.js";

const OTHER = "0000000000000000e127af99e3b3e074";
const NOW_MS = Math.ceil(START_US / 1_000) + 60_000;
let store: Store;

//  GET /orders/:id (shop, server)                            83a9…
//  ├─ redis GET (shop, client)
//  └─ POST /pay (shop, client) ── POST /pay (billing, server), an error
//  nightly (batch)                                           …e127…, a trace id of 64 bits
beforeAll(async () => {
  store = await keepSpans([
    {
      spanId: "00000000000000a1",
      name: "GET /orders/:id",
      kind: 2,
      scope: "telltale",
      durationNs: 123_000_999,
      traceState: "a=1",
      resource: { "host.name": "laptop", "process.pid": 42 },
      attributes: {
        "http.response.status_code": 200,
        "http.route": "/orders/:id",
        cold: false,
        ratio: 0.25,
        tags: ["a", "b"],
        nested: { a: { b: [1] } },
        nothing: null,
        'quote"d': "\u0000<script>alert(1)</script>",
      },
      events: [{ name: "sent", timeMs: START_US / 1_000 + 1.5, attributes: { bytes: 12 } }],
      links: [
        { traceId: OTHER, spanId: "00000000000000f1", attributes: { why: "batch" } },
        { traceId: "nonsense", spanId: "", attributes: {} },
      ],
    },
    {
      spanId: "00000000000000a2",
      parentId: "00000000000000a1",
      name: "redis GET",
      kind: 3,
      startUs: START_US + 1_000,
      resource: { "host.name": "laptop", "process.pid": 42 },
    },
    {
      spanId: "00000000000000a3",
      parentId: "00000000000000a1",
      name: "POST /pay",
      kind: 3,
      startUs: START_US + 2_000,
      resource: { "host.name": "laptop", "process.pid": 42 },
    },
    {
      spanId: "00000000000000b1",
      parentId: "00000000000000a3",
      service: "billing",
      name: "POST /pay",
      kind: 2,
      startUs: START_US + 3_000,
      durationNs: 200_000_000,
      status: 2,
      statusMessage: "no money",
      attributes: { "user.id": "u1" },
    },
    {
      traceId: OTHER,
      spanId: "00000000000000f1",
      service: "batch",
      name: "nightly",
      kind: 1,
      startUs: START_US - 5_000,
    },
  ]);
});
afterAll(() => store.close());

const ask = (path: string) => {
  const answer = answerJaeger(store, path, NOW_MS);
  if (answer === undefined) throw new Error(`no such path: ${path}`);
  // As it is sent.
  return { status: answer.status, body: JSON.parse(JSON.stringify(answer.body)) };
};
const traceIds = (path: string) => {
  const { status, body } = ask(path);
  expect(status, JSON.stringify(body)).toBe(200);
  expect(findWrong(structured(uiTrace), body)).toEqual([]);
  return body.data.map(({ traceID }: { traceID: string }) => traceID);
};

// Grafana's data source asks these (pkg/tsdb/jaeger/client.go of grafana/grafana), and so did the Jaeger UI up to 2.20.
describe("names", () => {
  test("services", () => {
    const { body } = ask("/api/services");
    expect(findWrong(names, body)).toEqual([]);
    // As grafana/grafana has them in pkg/tsdb/jaeger/client_test.go: {"data": […], "total": 2, "limit": 0, "offset": 0}.
    expect(body).toEqual({ data: ["batch", "billing", "shop"], total: 3, limit: 0, offset: 0, errors: null });
    expect(findWrong(v3Services, ask("/api/v3/services").body)).toEqual([]);
    expect(ask("/api/v3/services").body).toEqual({ services: ["batch", "billing", "shop"] });
  });

  test("operations of a service, with their kinds, without, and of one kind", () => {
    const { body } = ask("/api/operations?service=shop");
    expect(findWrong(uiOperations, body)).toEqual([]);
    expect(body.data).toEqual([
      { name: "GET /orders/:id", spanKind: "server" },
      { name: "POST /pay", spanKind: "client" },
      { name: "redis GET", spanKind: "client" },
    ]);
    expect(ask("/api/operations?service=shop&spanKind=server").body.data).toEqual([body.data[0]]);
    expect(ask("/api/services/shop/operations").body).toMatchObject({
      data: ["GET /orders/:id", "POST /pay", "redis GET"],
      total: 3,
    });
    expect(findWrong(v3Operations, ask("/api/v3/operations?service=shop").body)).toEqual([]);
    expect(ask("/api/v3/operations?service=shop&spanKind=server").body).toEqual({ operations: [body.data[0]] });
    expect(ask("/api/v3/operations?service=nobody").body).toEqual({ operations: [] });
    expect(ask("/api/operations")).toMatchObject({
      status: 400,
      body: { data: null, errors: [{ code: 400, msg: "parameter 'service' is required" }] },
    });
  });
});

describe("one trace", () => {
  test("has the shape of Jaeger's own JSON, and all that is known", () => {
    const { status, body } = ask(`/api/traces/${TRACE_ID}`);
    expect(status).toBe(200);
    expect(findWrong(structured(uiTrace), body)).toEqual([]);
    const [trace] = body.data;
    expect(trace.processes).toEqual({
      p1: {
        serviceName: "shop",
        tags: [
          { key: "host.name", type: "string", value: "laptop" },
          { key: "process.pid", type: "int64", value: 42 },
        ],
      },
      p2: { serviceName: "billing", tags: [] },
    });
    const [root, , , billing] = trace.spans;
    expect(root).toEqual({
      traceID: TRACE_ID,
      spanID: "00000000000000a1",
      operationName: "GET /orders/:id",
      references: [{ refType: "FOLLOWS_FROM", traceID: "e127af99e3b3e074", spanID: "00000000000000f1" }],
      startTime: START_US,
      duration: 123_000,
      tags: [
        { key: "otel.scope.name", type: "string", value: "telltale" },
        { key: "http.response.status_code", type: "int64", value: 200 },
        { key: "http.route", type: "string", value: "/orders/:id" },
        { key: "cold", type: "bool", value: false },
        { key: "ratio", type: "float64", value: 0.25 },
        { key: "tags", type: "string", value: '["a","b"]' },
        { key: "nested", type: "string", value: '{"a":{"b":[1]}}' },
        { key: "nothing", type: "string", value: "null" },
        { key: 'quote"d', type: "string", value: "\u0000<script>alert(1)</script>" },
        { key: "span.kind", type: "string", value: "server" },
        { key: "w3c.tracestate", type: "string", value: "a=1" },
      ],
      logs: [
        {
          timestamp: START_US + 1_500,
          fields: [
            { key: "event", type: "string", value: "sent" },
            { key: "bytes", type: "int64", value: 12 },
          ],
        },
      ],
      processID: "p1",
      warnings: null,
    });
    expect(billing.references).toEqual([{ refType: "CHILD_OF", traceID: TRACE_ID, spanID: "00000000000000a3" }]);
    expect(billing.tags.slice(1)).toEqual([
      { key: "span.kind", type: "string", value: "server" },
      { key: "otel.status_code", type: "string", value: "ERROR" },
      { key: "error", type: "bool", value: true },
      { key: "otel.status_description", type: "string", value: "no money" },
    ]);
  });

  test("is found by any form of its id that Jaeger takes", () => {
    for (const id of [
      "e127af99e3b3e074",
      OTHER,
      "E127AF99E3B3E074",
      "4SevmeOz4HQ=",
      "4SevmeOz4HQ",
      "AAAAAAAAAADhJ6+Z47PgdA==",
    ]) {
      const { status, body } = ask(`/api/traces/${encodeURIComponent(id)}`);
      expect(status, id).toBe(200);
      // Jaeger leaves out the upper half where it is 0: internal/uimodel/converter/v1/json/fixtures/ui_01.json.
      expect(body.data[0].traceID).toBe("e127af99e3b3e074");
    }
  });

  test("as OTLP, times to the nanosecond that is known", () => {
    const { status, body } = ask(`/api/v3/traces/${TRACE_ID}`);
    expect(status).toBe(200);
    expect(findWrong(v3Traces, body)).toEqual([]);
    const { resourceSpans } = body.result;
    expect(resourceSpans).toHaveLength(2);
    const [shop, billing] = resourceSpans;
    expect(shop.scopeSpans.map(({ scope }: { scope: object }) => scope)).toEqual([{ name: "telltale" }, {}]);
    const [root] = shop.scopeSpans[0].spans;
    expect(root).toMatchObject({
      kind: 2,
      startTimeUnixNano: `${START_US}000`,
      endTimeUnixNano: String(BigInt(START_US) * 1_000n + 123_000_999n),
      traceState: "a=1",
      events: [{ timeUnixNano: `${START_US + 1_500}000`, name: "sent" }],
      links: [{ traceId: OTHER, spanId: "00000000000000f1" }],
      status: {},
    });
    expect(root.attributes).toContainEqual({ key: "http.response.status_code", value: { intValue: "200" } });
    expect(root.attributes).toContainEqual({ key: "ratio", value: { doubleValue: 0.25 } });
    expect(root.attributes).toContainEqual({ key: "nothing", value: {} });
    expect(root.attributes).toContainEqual({
      key: "tags",
      value: { arrayValue: { values: [{ stringValue: "a" }, { stringValue: "b" }] } },
    });
    expect(billing.scopeSpans[0].spans[0]).toMatchObject({
      parentSpanId: "00000000000000a3",
      status: { code: 2, message: "no money" },
    });
  });

  test("that is not kept is a 404 in the API's form", () => {
    expect(ask("/api/traces/1")).toEqual({
      status: 404,
      body: { data: null, total: 0, limit: 0, offset: 0, errors: [{ code: 404, msg: "trace not found" }] },
    });
    expect(ask("/api/v3/traces/1")).toEqual({
      status: 404,
      body: { error: { httpCode: 404, message: "trace not found" } },
    });
  });

  test.each([
    "x",
    "0".repeat(33),
    "..%2f..%2fetc%2fpasswd",
    "%27%20OR%201=1--",
    "<script>",
    "%00",
    `${"a".repeat(500)}…`,
    "AAAAAAAAAAAAAA_g",
  ])("%s is no id", (id) => {
    const { status, body } = ask(`/api/traces/${id}`);
    expect(status).toBe(400);
    expect(findWrong(structured(uiTrace), body)).toEqual([]);
    expect(JSON.stringify(body).length).toBeLessThan(500);
    const v3 = ask(`/api/v3/traces/${id}`);
    expect(v3.status).toBe(400);
    expect(findWrong(v3Error, v3.body)).toEqual([]);
    expect(v3.body.error.message).toMatch(/^malformed parameter trace_id: /);
  });
});

describe("search", () => {
  const both = [TRACE_ID, "e127af99e3b3e074"];

  test.each<[string, string[]]>([
    ["", ["e127af99e3b3e074", TRACE_ID]],
    ["service=shop", [TRACE_ID]],
    ["service=nobody", []],
    ["service=shop&operation=redis%20GET", [TRACE_ID]],
    ["service=billing&operation=redis%20GET", []],
    ["service=billing&minDuration=200ms", [TRACE_ID]],
    ["service=billing&minDuration=200.001ms", []],
    ["service=shop&maxDuration=999us", []],
    ["service=batch&maxDuration=1ms", ["e127af99e3b3e074"]],
    [`start=${START_US}&end=${START_US + 10}`, [TRACE_ID]],
    [`start=${START_US + 100_000}`, []],
    [`end=${START_US - 1}`, ["e127af99e3b3e074"]],
    ["limit=1", ["e127af99e3b3e074"]],
    ["lookback=1h", ["e127af99e3b3e074", TRACE_ID]],
    ['tags={"error":"true"}', [TRACE_ID]],
    ['service=shop&tags={"error":"true"}', []],
    ['service=batch&tags={"error":"false"}', ["e127af99e3b3e074"]],
    ["tag=http.response.status_code:200", [TRACE_ID]],
    ["tag=http.response.status_code:20", []],
    ["tag=http.route:/orders/:id", [TRACE_ID]],
    ['tags={"http.route":"/orders/:id","cold":"false"}', [TRACE_ID]],
    ['tags={"http.route":"/orders/:id","cold":"true"}', []],
    ['tags={"host.name":"laptop"}', [TRACE_ID]],
    ['tags={"resource.host.name":"laptop"}', [TRACE_ID]],
    ['tags={"resource.http.route":"/orders/:id"}', []],
    ['tags={"span.kind":"internal"}', ["e127af99e3b3e074"]],
    ['tags={"span.kind":"CLIENT"}', [TRACE_ID]],
    ['service=batch&tags={"span.kind":"client"}', []],
    ['tags={"span.kind":"nonsense"}', []],
    ['tags={"otel.status_code":"ERROR","span.kind":"server"}', [TRACE_ID]],
    ['tags={"otel.scope.name":"telltale"}', [TRACE_ID]],
    ['tags={"bytes":"12"}', [TRACE_ID]],
    ['tags={"why":"batch"}', [TRACE_ID]],
    ['tags={"tags":"[\\"a\\",\\"b\\"]"}', [TRACE_ID]],
    ['tags={"quote\\"d":"\\u0000<script>alert(1)</script>"}', [TRACE_ID]],
    ["service=%27%20OR%20%271%27=%271", []],
    [`tags={"__proto__":"1","constructor":"2"}`, []],
  ])("%s", (query, expected) => {
    // A + in a query is a space: what is asked is encoded as a browser would.
    expect(traceIds(`/api/traces?${encodeURI(decodeURIComponent(query))}`)).toEqual(expected);
  });

  test("by ids: those that are not kept are named", () => {
    const path = `/api/traces?traceID=${TRACE_ID}&traceID=e127af99e3b3e074&traceID=abc`;
    expect(traceIds(path)).toEqual(both);
    expect(ask(path).body.errors).toEqual([{ msg: "trace not found", traceID: "0000000000000abc" }]);
  });

  test.each([
    ["start=yesterday", `unable to parse param 'start': strconv.ParseInt: parsing "yesterday": invalid syntax`],
    ["end=1e3", `unable to parse param 'end': strconv.ParseInt: parsing "1e3": invalid syntax`],
    ["start=99999999999999999999", /value out of range$/],
    ["limit=x", /invalid syntax$/],
    ["limit=0", /greater than 0/],
    ["limit=-1", /greater than 0/],
    ["minDuration=abc", `unable to parse param 'minDuration': time: invalid duration "abc"`],
    ["minDuration=10", `unable to parse param 'minDuration': time: missing unit in duration "10"`],
    ["minDuration=10d", `unable to parse param 'minDuration': time: unknown unit "d" in duration "10d"`],
    [`maxDuration=${"1h".repeat(50)}`, /'maxDuration'/],
    ["minDuration=2s&maxDuration=1s", "'maxDuration' should be greater than 'minDuration'"],
    ["tag=nocolon", "malformed 'tag' parameter, expecting key:value, received: nocolon"],
    ["tags={", /cannot unmarshal JSON/],
    ['tags=["a"]', /cannot unmarshal JSON/],
    ['tags={"a":1}', /cannot unmarshal JSON/],
    ["raw=perhaps", `unable to parse param 'raw': strconv.ParseBool: parsing "perhaps": invalid syntax`],
    ["traceID=zz", /invalid syntax$/],
  ])("%s is refused", (query, message) => {
    const { status, body } = ask(`/api/traces?${query}`);
    expect(status).toBe(400);
    expect(findWrong(structured(uiTrace), body)).toEqual([]);
    expect(body.errors[0].code).toBe(400);
    if (typeof message === "string") expect(body.errors[0].msg).toBe(message);
    else expect(body.errors[0].msg).toMatch(message);
  });

  test("what is longer than anybody needs is refused", () => {
    const tags = Array.from({ length: 21 }, (_, index) => `tag=k${index}:v`).join("&");
    for (const query of [`service=${"s".repeat(2_001)}`, `minDuration=${"1h".repeat(1_001)}`, tags]) {
      expect(ask(`/api/traces?${query}`)).toMatchObject({
        status: 400,
        body: { errors: [{ msg: expect.stringContaining("at most") }] },
      });
    }
  });
});

// packages/jaeger-ui/src/api/v3/client.ts of jaegertracing/jaeger-ui asks for services, operations and trace-summaries so.
describe("search of api_v3", () => {
  const iso = (us: number) => new Date(us / 1_000).toISOString();
  const window = `query.startTimeMin=${iso(START_US - 60e6)}&query.startTimeMax=${iso(START_US + 60e6)}`;

  test("summaries", () => {
    const { status, body } = ask(`/api/v3/trace-summaries?query.serviceName=shop&query.searchDepth=20&${window}`);
    expect(status).toBe(200);
    expect(findWrong(v3Summaries, body)).toEqual([]);
    expect(body.summaries).toEqual([
      {
        traceId: TRACE_ID,
        rootServiceName: "shop",
        rootOperationName: "GET /orders/:id",
        minStartTimeUnixNano: `${START_US}000`,
        maxEndTimeUnixNano: String(BigInt(START_US + 203_000) * 1_000n),
        spanCount: 4,
        errorSpanCount: 1,
        orphanSpanCount: 0,
        services: [
          { name: "billing", spanCount: 1, errorSpanCount: 1 },
          { name: "shop", spanCount: 3, errorSpanCount: 0 },
        ],
      },
    ]);
    expect(ask(`/api/v3/trace-summaries?query.serviceName=nobody&${window}`).body).toEqual({ summaries: [] });
  });

  test("whole traces, by the older names of parameters as Grafana writes them", () => {
    const attributes = encodeURIComponent('{"user.id":"u1"}');
    const query = `query.service_name=billing&query.attributes=${attributes}&query.duration_min=200ms`;
    // Not encoded: pkg/tsdb/jaeger/grpc_client.go of grafana/grafana.
    const times =
      "query.start_time_min=2024-01-31T06:27:29.209715+01:00&query.start_time_max=2024-01-31T06:00:00.5-02:00";
    const { status, body } = ask(`/api/v3/traces?${query}&${times}`);
    expect(status, JSON.stringify(body)).toBe(200);
    expect(findWrong(v3Traces, body)).toEqual([]);
    expect(body.result.resourceSpans).toHaveLength(2);
  });

  test("nothing found is a 404, as Jaeger has it", () => {
    expect(ask(`/api/v3/traces?query.serviceName=nobody&${window}`)).toEqual({
      status: 404,
      body: { error: { httpCode: 404, message: "No traces found" } },
    });
  });

  test.each([
    ["", "query.startTimeMin and query.startTimeMax are required"],
    [`query.startTimeMin=${iso(START_US)}&query.startTimeMax=${iso(START_US)}`, /must be before/],
    ["query.startTimeMin=1&query.startTimeMax=2", /^malformed parameter query.startTimeMin: parsing time "1"/],
    [`${window}&query.searchDepth=many`, /^malformed parameter query.searchDepth: /],
    [`${window}&query.duration_min=1`, /^malformed parameter query.duration_min: time: missing unit/],
    [`${window}&query.attributes=[1]`, /^malformed parameter query.attributes: /],
    [`${window}&query.filter={}`, /query.filter is not supported/],
  ])("%s is refused", (query, message) => {
    for (const path of ["traces", "trace-summaries"]) {
      const { status, body } = ask(`/api/v3/${path}?${query}`);
      expect(status).toBe(400);
      expect(findWrong(v3Error, body)).toEqual([]);
      if (typeof message === "string") expect(body.error.message).toBe(message);
      else expect(body.error.message).toMatch(message);
    }
  });
});

test("dependencies are the calls from one service to another", () => {
  // The Jaeger UI asks in milliseconds: fetchDependencies of packages/jaeger-ui/src/api/jaeger.ts.
  const path = `/api/dependencies?endTs=${NOW_MS}&lookback=604800000`;
  const { status, body } = ask(path);
  expect(status).toBe(200);
  expect(findWrong(uiDependencies, body)).toEqual([]);
  expect(body.data).toEqual([{ parent: "shop", child: "billing", callCount: 1 }]);
  expect(ask(`${path}&service=batch`).body.data).toEqual([]);
  expect(ask(`/api/dependencies?endTs=${NOW_MS - 120_000}&lookback=1000`).body.data).toEqual([]);
  expect(ask("/api/dependencies?endTs=x").status).toBe(400);
});

test("a Jaeger without metrics says so", () => {
  expect(ask("/api/metrics/calls?service=shop")).toMatchObject({ status: 501, body: { errors: [{ code: 501 }] } });
});

test("paths that are not Jaeger's are left to others", () => {
  for (const path of [
    "/",
    "/api/",
    "/api/now",
    "/api/traces/",
    "/api/traces/1/2",
    "/api/v3",
    "/api/v3/x",
    "/api/services/a",
    "/api/__proto__",
  ]) {
    expect(answerJaeger(store, path), path).toBeUndefined();
  }
  expect(ask("/api/services/%E0%A4%A/operations").status).toBe(400);
});

test("a trace that has no room is cut, and says so", async () => {
  const spans = Array.from({ length: 30 }, (_, index) => ({
    spanId: String(index + 1).padStart(16, "0"),
    name: "x".repeat(100),
  }));
  const many = await keepSpans(spans);
  for (const [room, kept] of [
    [{ spans: 20, bytes: 1e6 }, 20],
    [{ spans: 1e6, bytes: 1_100 }, 10],
  ] as const) {
    const trace = toUiTrace(readTrace(many, TRACE_ID, { ...room }) as TraceRows);
    expect(findWrong(uiTrace, trace)).toEqual([]);
    expect(trace.spans).toHaveLength(kept);
    expect(trace.warnings).toEqual([`${30 - kept} more spans are kept: this answer has no room for them`]);
  }
  many.close();
});

test("cycles, orphans and spans of one id are answered as they came", async () => {
  const odd = await keepSpans([
    { spanId: "00000000000000a1", parentId: "00000000000000a2" },
    { spanId: "00000000000000a2", parentId: "00000000000000a1" },
    { spanId: "00000000000000a2", parentId: "00000000000000a2" },
    { spanId: "00000000000000a3", parentId: "00000000000000ff", events: [{ nonsense: 1 }, "x"] as object[] },
  ]);
  const { body } = answerJaeger(odd, `/api/traces/${TRACE_ID}`) as { body: object };
  expect(findWrong(structured(uiTrace), body)).toEqual([]);
  const summary = answerJaeger(
    odd,
    `/api/v3/trace-summaries?query.startTimeMin=2024-01-01T00:00:00Z&query.startTimeMax=2025-01-01T00:00:00Z`,
  );
  expect(summary?.body).toMatchObject({ summaries: [{ spanCount: 4, orphanSpanCount: 1, rootServiceName: "" }] });
  odd.close();
});
