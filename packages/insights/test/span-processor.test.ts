import { type Attributes, context, type Context, ROOT_CONTEXT, type Span, SpanKind, trace } from "@opentelemetry/api";
import { AlwaysOffSampler, InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { type Finding, selfCounters } from "@telltale/core";
import { afterEach, describe, expect, test } from "vitest";
import { InsightsSpanProcessor, type InsightsSpanProcessorOptions } from "../src/index.js";

let stop = async (): Promise<void> => {};
afterEach(() => stop());

function start(options: InsightsSpanProcessorOptions = {}, isSampled = true) {
  const findings: Finding[] = [];
  const processor = new InsightsSpanProcessor({ onFinding: (finding) => findings.push(finding), ...options });
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    spanProcessors: [processor, new SimpleSpanProcessor({ exporter })],
    ...(!isSampled && { sampler: new AlwaysOffSampler() }),
  });
  stop = () => provider.shutdown();
  const tracer = provider.getTracer("upstream");
  let now = 1_000;
  /** A span that lasts so long, in ms; spans come one after the other. */
  function run(name: string, kind: SpanKind, attributes: Attributes, ms: number, work?: () => void, within?: Context) {
    const span = tracer.startSpan(name, { kind, attributes, startTime: at(now) }, within ?? active);
    const outer = active;
    active = trace.setSpan(active, span);
    work?.();
    active = outer;
    now += ms;
    span.end(at(now));
    return span;
  }
  let active: Context = ROOT_CONTEXT;
  const call = (attributes: Attributes, ms = 10): Span => run("call", SpanKind.CLIENT, attributes, ms);
  return { findings, processor, exporter, tracer, run, call };
}

/** In times that nobody hears live. */
const beganS = Math.floor(Date.now() / 1000) + 60;

function at(ms: number): [number, number] {
  return [beganS + Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}

const SQL = { "db.system.name": "postgresql", "db.query.text": "SELECT * FROM items WHERE id = $1" };
const repeat = (times: number, work: (n: number) => void): void => {
  for (let n = 0; n < times; n++) work(n);
};

describe("what calls are", () => {
  test.each<[name: string, attributes: (n: number) => Attributes, expected: string | undefined]>([
    ["a placeholder, values unknown", () => SQL, "n_plus_one"],
    ["values that differ", (n) => ({ ...SQL, "db.query.parameter.0": String(n) }), "n_plus_one"],
    ["values that are the same", () => ({ ...SQL, "db.query.parameter.0": "7" }), "duplicate_query"],
    ["pg's own values", () => ({ ...SQL, "db.postgresql.values": ["7"] }), "duplicate_query"],
    [
      "literals that differ",
      (n) => ({ "db.system": "mysql", "db.statement": `SELECT * FROM t WHERE a = "x${n}"` }),
      "n_plus_one",
    ],
    [
      "literals that are the same",
      () => ({ "db.system": "mysql", "db.statement": 'SELECT * FROM t WHERE a = "x"' }),
      "duplicate_query",
    ],
    ["a batch", () => ({ ...SQL, "db.query.text": "SELECT * FROM items WHERE id IN ($1, $2)" }), undefined],
    ["a batch in an array", () => ({ ...SQL, "db.query.text": "SELECT * FROM items WHERE id = ANY ($1)" }), undefined],
    ["writes", () => ({ ...SQL, "db.query.text": "UPDATE items SET a = $1" }), undefined],
    ["reads of keys", (n) => ({ "db.system": "redis", "db.statement": `get user:${n}` }), "repeated_lookup"],
    [
      "reads of keys, by operation",
      (n) => ({ "db.system.name": "redis", "db.operation.name": "GET", "db.query.text": `GET user:${n}` }),
      "repeated_lookup",
    ],
    ["writes of keys", (n) => ({ "db.system": "redis", "db.statement": `set user:${n} ?` }), undefined],
    ["reads of many keys", (n) => ({ "db.system": "redis", "db.statement": `mget user:${n} user:0` }), undefined],
    [
      "calls of a service",
      (n) => ({ "http.request.method": "GET", "url.full": `http://users/users/${n}`, "server.address": "users" }),
      "repeated_http_call",
    ],
    [
      "calls of a service, by old names",
      (n) => ({ "http.method": "GET", "http.url": `http://users/users/${n}` }),
      "repeated_http_call",
    ],
    ["connecting", () => ({ "db.system": "postgresql" }), undefined],
    ["no database", () => ({ "rpc.system": "grpc" }), undefined],
  ])("10 times %s", (_, attributes, expected) => {
    const { findings, run, call } = start();
    run("GET /a", SpanKind.SERVER, { "http.method": "GET", "http.route": "/a" }, 10, () =>
      repeat(10, (n) => void call(attributes(n))),
    );
    expect(findings.map(({ kind }) => kind)).toEqual(expected === undefined ? [] : [expected]);
    for (const { endpoint, route } of findings)
      expect({ endpoint, route }).toEqual({ endpoint: "GET /a", route: "/a" });
  });

  test("a slow query has the route as soon as its handler has begun, though the request's span has it at its end", () => {
    const { findings, run, call } = start();
    const slow = (type: string, route: string): void =>
      void run(type, SpanKind.INTERNAL, { "express.type": type, "http.route": route }, 1, () => void call(SQL, 200));
    run("GET", SpanKind.SERVER, { "http.method": "GET" }, 10, () => {
      slow("middleware", "/");
      slow("request_handler", "/books/:isbn");
    });
    expect(findings.map(({ kind, endpoint, route }) => [kind, endpoint, route])).toEqual([
      ["slow_query", "GET", undefined],
      ["slow_query", "GET /books/:isbn", "/books/:isbn"],
    ]);
  });

  test.each<[attributes: Attributes, expected: object]>([
    [
      { "db.system": "mssql", "db.name": "shop", "db.statement": "SELECT 'secret' FROM t" },
      { system: "microsoft.sql_server", namespace: "shop", querySummary: "SELECT t", queryText: "SELECT ? FROM t" },
    ],
    [
      {
        "db.system": "mongodb",
        "db.operation": "find",
        "db.mongodb.collection": "users",
        "db.statement": '{"a":"secret"}',
      },
      { system: "mongodb", querySummary: "find users", queryText: undefined },
    ],
    [
      { "db.system.name": "cassandra", "db.operation.name": "SELECT" },
      { system: "cassandra", querySummary: "SELECT" },
    ],
    [
      { "db.system": "redis", "db.statement": "hgetall cart:17" },
      { querySummary: "HGETALL cart", queryText: undefined },
    ],
  ])("%j", (attributes, expected) => {
    const { findings, call } = start();
    call(attributes, 300);
    expect(findings).toEqual([
      expect.objectContaining({
        kind: "slow_query",
        endpoint: undefined,
        durationMs: expect.closeTo(300, 2),
        ...expected,
      }),
    ]);
  });
});

describe("what calls belong to", () => {
  test("a job is a request of its own, by the name of its span", () => {
    const { findings, run, call } = start();
    run("nightly", SpanKind.INTERNAL, {}, 1, () => repeat(10, () => void call(SQL)));
    expect(findings.map(({ title }) => title)).toEqual([expect.stringMatching(/^nightly runs SELECT items 10 times/)]);
  });

  test("spans between it and its calls do not matter, also when they are over", () => {
    const { findings, run, call } = start();
    run("GET", SpanKind.SERVER, {}, 1, () => {
      repeat(10, () => void run("resolve", SpanKind.INTERNAL, {}, 1, () => void call(SQL)));
    });
    expect(findings.map(({ kind, count }) => ({ kind, count }))).toEqual([{ kind: "n_plus_one", count: 10 }]);
  });

  test("a request served within another, by the same process, has its own calls", () => {
    const { findings, run, call } = start({ nPlusOne: { minCount: 10 } });
    run("GET /outer", SpanKind.SERVER, {}, 1, () => {
      repeat(6, () => void call(SQL));
      run("GET /inner", SpanKind.SERVER, {}, 1, () => repeat(6, () => void call(SQL)));
    });
    expect(findings).toEqual([]);
  });

  test("two requests at once are told apart", () => {
    const { findings, tracer } = start({ nPlusOne: { minCount: 10 } });
    const spans = [1, 2].map((n) => tracer.startSpan(`GET /${n}`, { kind: SpanKind.SERVER }, ROOT_CONTEXT));
    repeat(8, () => {
      for (const span of spans)
        tracer
          .startSpan("call", { kind: SpanKind.CLIENT, attributes: SQL }, trace.setSpan(context.active(), span))
          .end();
    });
    for (const span of spans) span.end();
    expect(findings).toEqual([]);
  });
});

test("what is found is noted on the span it is about, of whatever kind", () => {
  const { exporter, run, call } = start();
  run("GET", SpanKind.SERVER, { "http.route": "/items" }, 1, () => {
    call(SQL, 150);
    repeat(5, () => call(SQL));
  });
  const noted = exporter.getFinishedSpans().map(({ attributes, events }) => ({
    kind: attributes["telltale.finding.kind"],
    events: events.map(({ name, attributes: said }) => [name, said?.["telltale.finding.kind"]]),
  }));
  expect(noted).toEqual([
    { kind: "slow_query", events: [["telltale.finding", "slow_query"]] },
    ...Array.from({ length: 5 }, () => ({ kind: undefined, events: [] })),
    { kind: "n_plus_one", events: [["telltale.finding", "n_plus_one"]] },
  ]);
});

test("spans that are not sampled are not heard", () => {
  const { findings, run, call } = start({}, false);
  run("GET", SpanKind.SERVER, {}, 1, () => repeat(10, () => void call(SQL)));
  expect(findings).toEqual([]);
});

test("an SDK that does not tell of spans that are ending is served, too", () => {
  const findings: Finding[] = [];
  const processor = new InsightsSpanProcessor({ onFinding: (finding) => findings.push(finding) });
  const provider = new TracerProvider({
    spanProcessors: [
      {
        onStart: (span, parent) => processor.onStart(span, parent),
        onEnd: (span) => processor.onEnd(span),
        forceFlush: () => processor.forceFlush(),
        shutdown: () => processor.shutdown(),
      },
    ],
  });
  stop = () => provider.shutdown();
  const attributes = { "db.system": "mysql", "db.statement": "SELECT 1" };
  provider
    .getTracer("t")
    .startSpan("call", { attributes, startTime: at(0) }, ROOT_CONTEXT)
    .end(at(200));
  expect(findings.map(({ kind }) => kind)).toEqual(["slow_query"]);
});

test("an onFinding that throws harms nobody", () => {
  const { run, call, exporter } = start({
    onFinding: () => {
      throw new Error("own");
    },
  });
  run("GET", SpanKind.SERVER, {}, 1, () => repeat(10, () => void call(SQL)));
  expect(exporter.getFinishedSpans()).toHaveLength(11);
});

describe("what it holds is bounded", () => {
  const held = (processor: InsightsSpanProcessor): number =>
    (processor as unknown as { rootOf: Map<string, unknown> }).rootOf.size;
  const limit = (name: string): number => [...selfCounters()].find(({ value }) => value === name)?.total ?? 0;

  test("nothing, when all is over", () => {
    const { processor, run, call } = start();
    repeat(50, () => void run("GET", SpanKind.SERVER, {}, 1, () => repeat(10, () => void call(SQL))));
    expect(held(processor)).toBe(0);
  });

  test("10,000 requests that never end, and what is beyond is counted", () => {
    const { processor, tracer } = start();
    const before = limit("span_processor.requests");
    repeat(10_200, (n) => void tracer.startSpan(`GET ${n}`, { kind: SpanKind.SERVER }, ROOT_CONTEXT));
    expect(held(processor)).toBe(10_000);
    expect(limit("span_processor.requests") - before).toBe(200);
  });

  test("2,000 spans of a request", () => {
    const { processor, tracer } = start();
    const before = limit("span_processor.spans");
    const within = trace.setSpan(ROOT_CONTEXT, tracer.startSpan("GET", { kind: SpanKind.SERVER }, ROOT_CONTEXT));
    repeat(2_500, () => tracer.startSpan("part", {}, within).end());
    expect(held(processor)).toBe(2_000);
    expect(limit("span_processor.spans") - before).toBe(501);
  });
});
