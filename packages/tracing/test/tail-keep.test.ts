import {
  type Context,
  defaultTextMapSetter,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { emptyResource } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  type ReadableSpan,
  SamplingDecision,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";
import {
  addListener,
  addSpanListener,
  contextOf,
  endOperation,
  failOperation,
  keepForFinding,
  type Operation,
  selfCounters,
  startDatabaseOperation,
  startHttpClientOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { createMetrics, type HistogramDataPoint } from "@telltale/metrics";
import { type Arbitrary, array, assert, asyncProperty, boolean, constantFrom, letrec, oneof, record } from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import {
  createSampler,
  createTracerProvider,
  type EngineTracerProvider,
  SpanExport,
  type TailKeepOptions,
  type TracerProviderOptions,
} from "../src/index.js";
import { type DecodedSpan, decodeSpans } from "./otlp-decoder.js";

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

const ALL = ["error", "slow", "finding"] as const;
/** What no request of a test takes by chance. */
const NEVER_MS = 1e9;

const template = {
  system: "postgresql",
  namespace: "shop",
  operationName: "SELECT",
  collection: "orders",
  querySummary: "SELECT orders",
  queryText: "SELECT * FROM orders",
  fingerprint: "0123456789abcdef",
  effect: "read" as const,
  serverAddress: "db.example",
  serverPort: 5432,
  poolName: "shop",
  slots: [] as unknown[],
};

function served(path: string) {
  return {
    method: "GET",
    originalMethod: undefined,
    scheme: "http" as const,
    path,
    query: undefined,
    serverAddress: "shop.example",
    serverPort: 80,
    clientAddress: "10.0.0.1",
    userAgent: "curl/8",
    protocolVersion: "1.1",
  };
}
const sent = { method: "GET", originalMethod: undefined, url: "http://pay/", serverAddress: "pay", serverPort: 80 };

/** A provider whose operations are heard, and what it exports. */
function collect(options: Partial<TracerProviderOptions>) {
  const spans: DecodedSpan[] = [];
  const provider = createTracerProvider({
    resource: emptyResource(),
    ...options,
    export: new SpanExport({
      maxQueueSize: 1e6,
      async deliver(request) {
        spans.push(...decodeSpans(request));
        return { ok: true };
      },
    }),
  });
  undo.push(addSpanListener(provider));
  return { provider, spans };
}

/** Nothing is sampled, and what is worth it is kept. */
function keeping(keep: Partial<TailKeepOptions> = {}, options: Partial<TracerProviderOptions> = {}) {
  return collect({
    sampler: createSampler("parentbased_always_off"),
    keep: { reasons: ALL, slowMs: NEVER_MS, ...keep },
    ...options,
  });
}

function outcome(value: string): number {
  for (const counter of selfCounters()) {
    if (counter.metric === "telltale.spans" && counter.value === value) return counter.total;
  }
  return 0;
}

const textOf = (span: DecodedSpan | undefined, name: string) => span?.attributes[name]?.["stringValue"];

/** One step of a request; what is inside of others runs in their context. */
type Step =
  | { readonly does: "query"; readonly fails: boolean; readonly found: boolean }
  | { readonly does: "send"; readonly status: number }
  | {
      readonly does: "trace";
      readonly kind: SpanKind;
      readonly inside: readonly Step[];
      readonly outlives: boolean;
      readonly links: readonly Link[];
    }
  | { readonly does: "wait" };

interface Plan {
  readonly parent: "none" | "sampled" | "not sampled";
  readonly status: number;
  readonly route: string | undefined;
  readonly steps: readonly Step[];
  /** What comes after the request has ended. */
  readonly later: readonly Step[];
}

const link = { context: { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 } };
const { step } = letrec<{ step: Step }>((tie) => ({
  step: oneof(
    { maxDepth: 3 },
    record({ does: constantFrom("query" as const), fails: boolean(), found: constantFrom(false, false, false, true) }),
    record({ does: constantFrom("send" as const), status: constantFrom(200, 404) }),
    record({ does: constantFrom("wait" as const) }),
    record({
      does: constantFrom("trace" as const),
      kind: constantFrom(SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER),
      inside: array(tie("step"), { maxLength: 4 }),
      outlives: boolean(),
      links: constantFrom<readonly Link[]>([], [link]),
    }),
  ),
}));
const plan: Arbitrary<Plan> = record({
  parent: constantFrom("none", "sampled", "not sampled"),
  status: constantFrom(200, 200, 500),
  route: constantFrom(undefined, "/orders/:id"),
  steps: array(step, { maxLength: 6 }),
  later: array(step, { maxLength: 2 }),
});

/** Where a request came from; of those that come from elsewhere the trace tells which it was. */
function cameFrom({ parent }: Plan, index: number): Context {
  if (parent === "none") return ROOT_CONTEXT;
  const traceId = (index + 1).toString(16).padStart(32, "0");
  const traceFlags = parent === "sampled" ? 1 : 0;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: "b7ad6b7169203331", traceFlags, isRemote: true });
}

const headersFrom = (context: Context): Record<string, string> => {
  const headers: Record<string, string> = {};
  new W3CTraceContextPropagator().inject(context, headers, defaultTextMapSetter);
  return headers;
};

interface Performed {
  found: boolean;
  /** `traceparent` as it was sent. */
  readonly headers: string[];
}

/** Serves a request; `await`s give others their turn, at the same places in every run. */
async function serve(request: Plan, index: number, provider: TracerProvider, parent: Context): Promise<Performed> {
  const tracer = provider.getTracer("app");
  const performed: Performed = { found: false, headers: [] };
  const last: (() => void)[] = [];
  const operation = startHttpServerOperation(served(`/${index}`), parent);

  async function run(steps: readonly Step[], inside: Context): Promise<void> {
    for (const each of steps) {
      if (each.does === "wait") await undefined;
      else if (each.does === "query") {
        const query = startDatabaseOperation(template, "SELECT 7", [7], inside);
        await undefined;
        if (each.fails) failOperation(query, new TypeError("bad"));
        if (each.found) {
          keepForFinding(query);
          if (operation.endMs === 0) performed.found = true;
        }
        endOperation(query);
      } else if (each.does === "send") {
        const sending = startHttpClientOperation(sent, inside);
        performed.headers.push(headersFrom(contextOf(sending))["traceparent"] ?? "none");
        await undefined;
        sending.statusCode = each.status;
        endOperation(sending);
      } else {
        const { kind, links } = each;
        const span = tracer.startSpan("work", { kind, attributes: { tier: "gold" }, links: [...links] }, inside);
        const within = trace.setSpan(inside, span);
        performed.headers.push(headersFrom(within)["traceparent"] ?? "none");
        await run(each.inside, within);
        span.addEvent("done", { steps: each.inside.length });
        if (each.outlives) last.push(() => span.end());
        else span.end();
      }
    }
  }

  await run(request.steps, contextOf(operation));
  operation.statusCode = request.status;
  if (request.status >= 500) operation.errorType = String(request.status);
  if (operation.request !== undefined) operation.request.route = request.route;
  endOperation(operation);
  await run(request.later, contextOf(operation));
  for (const end of last) end();
  return performed;
}

/** All requests at once. */
async function serveAll(requests: readonly Plan[], provider: EngineTracerProvider, sampledOnly: boolean) {
  const performed = await Promise.all(
    requests.map((request, index) =>
      serve(
        request,
        index,
        provider,
        cameFrom(sampledOnly ? { ...request, parent: asSampled(request) } : request, index),
      ),
    ),
  );
  await provider.forceFlush();
  for (const step of undo.splice(0)) step();
  return performed;
}
const asSampled = ({ parent }: Plan) => (parent === "none" ? "none" : "sampled");

/** By request, in the order in which they were exported: without times and reasons, ids as places in that order. */
function byRequest(spans: readonly DecodedSpan[]): Map<unknown, unknown[]> {
  const traces = new Map<string, DecodedSpan[]>();
  for (const span of spans) traces.set(span.traceId, [...(traces.get(span.traceId) ?? []), span]);
  return new Map(
    [...traces.values()].map((each) => {
      // A batch has them by scope.
      const own = each.toSorted((a, b) => a.scope.name.localeCompare(b.scope.name));
      const root = own.find((span) => textOf(span, "url.path") !== undefined);
      const places = new Map(own.map((span, place) => [span.spanId, place]));
      const comparable = own.map((span) => {
        const { "telltale.kept": _, ...attributes } = span.attributes;
        const parentSpanId = places.get(span.parentSpanId) ?? span.parentSpanId;
        const events = span.events.map((event) => Object.assign({}, event, { timeUnixNano: undefined }));
        const changed = { parentSpanId, attributes, events, traceId: 0, spanId: 0 };
        return Object.assign({}, span, changed, { startTimeUnixNano: 0, endTimeUnixNano: 0 });
      });
      return [textOf(root, "url.path"), comparable];
    }),
  );
}

const reasonSets = constantFrom<TailKeepOptions["reasons"]>(ALL, ["error"], ["finding"], ["slow"]);

describe("what is kept is what full sampling exports", () => {
  test.each<[string, Partial<TracerProviderOptions>]>([
    ["without the API", {}],
    // Fewer than an operation may have by itself.
    ["through the API", { spanLimits: { attributeCountLimit: 63 } }],
  ])("%s", async (_, options) => {
    let kept = 0;
    let thrownAway = 0;
    await assert(
      asyncProperty(array(plan, { minLength: 1, maxLength: 5 }), reasonSets, async (requests, reasons) => {
        const full = collect(options);
        await serveAll(requests, full.provider, true);
        const tail = keeping({ reasons, perSecond: Infinity }, options);
        const performed = await serveAll(requests, tail.provider, false);

        const expected = byRequest(full.spans);
        for (const [index, { parent, status }] of requests.entries()) {
          const isFailed = status >= 500 && reasons.includes("error");
          const isFound = performed[index]?.found === true && reasons.includes("finding");
          if (parent === "sampled") continue;
          if (isFailed || isFound) kept++;
          else if (expected.delete(`/${index}`)) thrownAway++;
        }
        expect(byRequest(tail.spans)).toEqual(expected);
        for (const span of tail.spans) {
          const isSampled = requests[Number(textOf(span, "url.path")?.toString().slice(1))]?.parent === "sampled";
          if (isSampled) expect(textOf(span, "telltale.kept")).toBeUndefined();
        }
        for (const [index, { headers }] of performed.entries()) {
          const flags = requests[index]?.parent === "sampled" ? /-01$/ : /-00$/;
          for (const header of headers) expect(header).toMatch(flags);
        }
      }),
      { numRuns: 200 },
    );
    expect(kept).toBeGreaterThan(50);
    expect(thrownAway).toBeGreaterThan(50);
  });
});

interface Quick {
  readonly queries?: number;
  readonly status?: number;
}

function begin(path = "/") {
  return startHttpServerOperation(served(path), ROOT_CONTEXT);
}

function query(inside: Context) {
  const operation = startDatabaseOperation(template, "SELECT 7", [7], inside);
  endOperation(operation);
  return operation;
}

function end(operation: ReturnType<typeof begin>, status = 200): void {
  operation.statusCode = status;
  if (status >= 500) operation.errorType = String(status);
  endOperation(operation);
}

function serveOne({ queries = 1, status = 200 }: Quick = {}, path = "/") {
  const operation = begin(path);
  for (let i = 0; i < queries; i++) query(contextOf(operation));
  end(operation, status);
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("why", () => {
  test.each<[string, Partial<TailKeepOptions>, (operation: ReturnType<typeof begin>) => unknown]>([
    ["error", {}, (operation) => end(operation, 503)],
    ["error", {}, (operation) => failOperation(operation, new Error("gone"))],
    ["error", {}, (operation) => operation.span?.setStatus({ code: SpanStatusCode.ERROR })],
    ["finding", {}, keepForFinding],
    ["slow", { slowMs: 20 }, () => sleep(25)],
    ["slow", { slowMs: 20 }, (operation) => sleep(25).then(() => query(contextOf(operation)))],
  ])("each span says: %s", async (reason, keep, happens) => {
    const { provider, spans } = keeping(keep);
    const operation = begin();
    query(contextOf(operation));
    await happens(operation);
    end(operation);
    await provider.forceFlush();
    expect(spans.length).toBeGreaterThan(1);
    expect(spans.map((span) => textOf(span, "telltale.kept"))).toEqual(spans.map(() => reason));
    expect(spans.map(({ flags }) => flags & 1)).toEqual(spans.map(() => 1));
  });

  test("nothing speaks for it: neither a quick request nor a query of no request", async () => {
    const { provider, spans } = keeping({ slowMs: 0 });
    const before = outcome("sampled_out");
    const failing = startDatabaseOperation(template, undefined, undefined, ROOT_CONTEXT);
    failOperation(failing, new Error("gone"));
    endOperation(failing);
    const all = keeping();
    undo.splice(0).forEach((step) => step());
    undo.push(addSpanListener(all.provider));
    serveOne({ queries: 3 });
    await Promise.all([provider.forceFlush(), all.provider.forceFlush()]);
    expect([...spans, ...all.spans]).toEqual([]);
    // Both providers heard the failing query.
    expect(outcome("sampled_out") - before).toBe(1 + 4);
  });

  test.each(["runs", "has just ended", "has ended long ago"])(
    "a finding names a query that %s by the span that is exported",
    async (when) => {
      // Before the listener that makes spans, as insights are.
      const finder = { name: "finder", operationEnded: (ended: Operation) => void (isFound && keepForFinding(ended)) };
      let isFound = false;
      undo.push(addListener(finder));
      const { provider, spans } = keeping();
      const operation = begin();
      const found = startDatabaseOperation(template, "SELECT 7", [7], contextOf(operation));
      expect(when === "runs" && keepForFinding(found)).toBe(when === "runs");
      isFound = when === "has just ended";
      endOperation(found);
      isFound = false;
      query(contextOf(operation));
      if (when === "has ended long ago") expect(keepForFinding(found)).toBe(true);
      end(operation);
      await provider.forceFlush();
      expect(spans.map(({ name }) => name)).toEqual(["SELECT orders", "SELECT orders", "GET"]);
      expect(spans[0]?.spanId).toBe(found.span?.spanContext().spanId);
      expect(spans[0]?.parentSpanId).toBe(spans[2]?.spanId);
    },
  );

  test("a sampled request says nothing", async () => {
    const { provider, spans } = keeping({}, { sampler: createSampler("parentbased_always_on") });
    serveOne({ status: 500 });
    await provider.forceFlush();
    expect(spans.map((span) => textOf(span, "telltale.kept"))).toEqual([undefined, undefined]);
  });

  test("work that is traced by hand is kept when it failed, and is never slow", async () => {
    const { provider, spans } = keeping({ slowMs: 0 });
    const tracer = provider.getTracer("jobs");
    for (const code of [SpanStatusCode.ERROR, SpanStatusCode.UNSET]) {
      const job = tracer.startSpan(`job ${code}`, {}, ROOT_CONTEXT);
      query(trace.setSpan(ROOT_CONTEXT, job));
      job.setStatus({ code });
      job.end();
    }
    await provider.forceFlush();
    expect(spans.map(({ name }) => name).toSorted()).toEqual(["SELECT orders", `job ${SpanStatusCode.ERROR}`]);
  });

  test("a sampler of the app's own decides alone", async () => {
    const sampler = { shouldSample: () => ({ decision: SamplingDecision.NOT_RECORD }) };
    const { provider, spans } = keeping({}, { sampler });
    serveOne({ status: 500 });
    await provider.forceFlush();
    expect(spans).toEqual([]);
  });
});

describe("bounds", () => {
  test("of one request the spans that started first are exported, and it says how many are missing", async () => {
    const { provider, spans } = keeping({ maxRequestSpans: 5 });
    const before = outcome("given_up");
    serveOne({ queries: 10, status: 500 });
    await provider.forceFlush();
    expect(spans.length).toBe(5);
    const root = spans.find((span) => textOf(span, "url.path") !== undefined);
    expect(root?.attributes["telltale.kept.missing_spans"]).toEqual({ intValue: "6" });
    expect(outcome("given_up") - before).toBe(6);
  });

  test.each<[string, Partial<TailKeepOptions>]>([
    ["spans", { maxSpans: 10 }],
    ["bytes", { maxBytes: 12_000 }],
  ])("of too many %s the oldest request is given up whole", async (_, keep) => {
    const { provider, spans } = keeping(keep);
    const before = outcome("given_up");
    const requests = Array.from({ length: 5 }, (__, i) => {
      const operation = begin(`/${i}`);
      const span = provider.getTracer("app").startSpan("work", {}, contextOf(operation));
      span.setAttribute("text", "x".repeat(3_000));
      span.end();
      query(contextOf(operation));
      return operation;
    });
    for (const operation of requests) end(operation, 500);
    await provider.forceFlush();
    const kept = spans.map((span) => textOf(span, "url.path")).filter((path) => path !== undefined);
    expect(kept.length).toBeGreaterThan(1);
    expect(kept.length).toBeLessThan(5);
    expect(kept).toEqual(["/0", "/1", "/2", "/3", "/4"].slice(-kept.length));
    expect(spans.length).toBe(3 * kept.length);
    expect(outcome("given_up") - before).toBe(3 * (5 - kept.length));
  });

  test("the oldest is exported and not given up when it is slow by then", async () => {
    const { provider, spans } = keeping({ maxSpans: 3, slowMs: 20 });
    const slow = begin("/slow");
    query(contextOf(slow));
    await sleep(25);
    serveOne();
    end(slow);
    await provider.forceFlush();
    expect(spans.map((span) => textOf(span, "telltale.kept"))).toEqual(["slow", "slow"]);
  });

  test("when all requests fail, so many a second are exported", async () => {
    const { provider, spans } = keeping({ perSecond: 20 });
    const before = outcome("given_up");
    for (let i = 0; i < 100; i++) serveOne({ status: 500 });
    await sleep(200);
    for (let i = 0; i < 100; i++) serveOne({ status: 500 });
    await provider.forceFlush();
    expect(spans.length).toBeGreaterThanOrEqual(2 * (20 + 3));
    expect(spans.length).toBeLessThan(2 * (20 + 20));
    expect(outcome("given_up") - before).toBe(400 - spans.length);
    expect(spans.length % 2).toBe(0);
  });

  test("what is started by a kept request and never stops does not go on for ever", async () => {
    const { provider, spans } = keeping({ maxRequestSpans: 10 });
    const operation = begin();
    end(operation, 500);
    for (let i = 0; i < 50; i++) query(contextOf(operation));
    await provider.forceFlush();
    expect(spans.length).toBe(10);
  });
});

describe("span processors", () => {
  test("hear every start and end, and export what is kept", async () => {
    const heard: string[] = [];
    const listening: SpanProcessor = {
      onStart: (span) => void heard.push(`start ${span.name} ${span.spanContext().traceFlags}`),
      onEnd: (span) => void heard.push(`end ${span.name} ${span.spanContext().traceFlags}`),
      forceFlush: async () => {},
      shutdown: async () => {},
    };
    const exported: ReadableSpan[] = [];
    const exporter: SpanExporter = {
      export(spans, done) {
        exported.push(...spans);
        done({ code: 0 });
      },
      shutdown: async () => {},
    };
    const spanProcessors = [listening, new BatchSpanProcessor({ exporter })];
    const { provider, spans } = keeping({}, { spanProcessors });
    serveOne();
    expect(heard.splice(0)).toEqual(["start GET 0", "start SELECT orders 0", "end SELECT orders 0", "end GET 0"]);
    serveOne({ status: 500 });
    expect(heard).toEqual(["start GET 0", "start SELECT orders 0", "end SELECT orders 1", "end GET 1"]);
    await provider.forceFlush();
    expect(exported.map(({ name, attributes }) => [name, attributes["telltale.kept"]])).toEqual([
      ["SELECT orders", "error"],
      ["GET", "error"],
    ]);
    expect(spans.map(({ name }) => name)).toEqual(["SELECT orders", "GET"]);
    await provider.shutdown();
  });
});

test("exemplars point to what is exported, a request's own among them", async () => {
  const metrics = createMetrics({ runtime: false });
  undo.push(addListener(metrics.listener));
  const { provider, spans } = keeping({ perSecond: Infinity });
  for (let i = 0; i < 20; i++) serveOne({ status: i % 3 === 0 ? 500 : 200 });
  await provider.forceFlush();
  const { resourceMetrics } = await metrics.producer.collect();
  const exemplars = resourceMetrics.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .filter(({ descriptor }) => /duration/.test(descriptor.name))
    .flatMap(({ dataPoints }) => (dataPoints as HistogramDataPoint[]).flatMap((point) => point.exemplars));
  expect(exemplars.length).toBeGreaterThan(0);
  const exported = new Set(spans.map(({ spanId }) => spanId));
  for (const { spanId } of exemplars) expect(exported).toContain(spanId);
});

describe("the end of the process", () => {
  test("what is open at a shutdown is given up, what is slow or found is exported, and nothing comes after", async () => {
    const { provider, spans } = keeping({ slowMs: 20 });
    const before = { givenUp: outcome("given_up"), exported: outcome("exported") };
    const slow = begin("/slow");
    query(contextOf(slow));
    await sleep(25);
    const found = begin("/found");
    query(contextOf(found));
    keepForFinding(found);
    const open = begin("/open");
    query(contextOf(open));
    const done = provider.shutdown();
    for (const operation of [slow, found, open]) end(operation, 500);
    serveOne({ status: 500 });
    await done;
    expect(spans.map((span) => textOf(span, "telltale.kept"))).toEqual(["finding", "slow"]);
    expect(outcome("given_up") - before.givenUp).toBe(2);
    expect(outcome("exported") - before.exported).toBe(2);
  });
});
