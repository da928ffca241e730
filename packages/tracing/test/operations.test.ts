import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { emptyResource } from "@opentelemetry/resources";
import {
  type ReadableSpan,
  type SpanLimits,
  type SpanProcessor,
  TracerProvider as SdkTracerProvider,
} from "@opentelemetry/sdk-trace";
import {
  addSpanListener,
  annotateOperation,
  contextOf,
  type DatabaseTemplate,
  endOperation,
  failOperation,
  type HttpServerStart,
  type Operation,
  startDatabaseOperation,
  startHttpClientOperation,
  startHttpServerOperation,
} from "@telltale/core";
import {
  type Arbitrary,
  array,
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  letrec,
  oneof,
  option,
  record,
  tuple,
} from "fast-check";
import { describe, expect, test } from "vitest";
import { createSampler, createTracerProvider, type SamplerName, SpanExport } from "../src/index.js";
import { type DecodedSpan, decodeSpans } from "./otlp-decoder.js";
import { sdkSampler } from "./sdk-samplers.js";

/** An operation to perform, and what happens while it runs. */
interface Plan {
  readonly start: (parent: Context) => Operation;
  readonly touches: readonly Touch[];
  readonly children: readonly Plan[];
  readonly finish: (operation: Operation) => void;
  readonly annotations: readonly (readonly [name: string, value: string | number | boolean])[];
  readonly error: unknown;
}

/** What an app does with the active span. */
type Touch = (span: Span) => unknown;

const maybe = <T>(of: Arbitrary<T>) => option(of, { nil: undefined, freq: 2 });
const words = constantFrom("shop", "orders", "SELECT orders", "ünï ✓", "x".repeat(500), "");
const ports = constantFrom(80, 5432, 65_535);

const made: Arbitrary<DatabaseTemplate> = record({
  system: constantFrom("postgresql", "redis"),
  namespace: maybe(words),
  operationName: maybe(constantFrom("SELECT", "HGETALL")),
  collection: maybe(words),
  querySummary: maybe(words),
  queryText: maybe(words),
  fingerprint: constantFrom(undefined),
  effect: constantFrom("read" as const),
  serverAddress: maybe(words),
  serverPort: maybe(ports),
  poolName: maybe(words),
}).map((facts) => Object.assign(facts, { slots: [] }));

/** That of many calls, with every outcome there is. */
const shared: DatabaseTemplate = {
  system: "postgresql",
  namespace: "shop",
  operationName: "SELECT",
  collection: "orders",
  querySummary: "SELECT orders",
  queryText: "SELECT * FROM orders",
  fingerprint: undefined,
  effect: "read",
  serverAddress: "db",
  serverPort: 5432,
  poolName: undefined,
  slots: [],
};
const templates = oneof(made, constantFrom(shared));

const served: Arbitrary<HttpServerStart> = record({
  method: constantFrom("GET", "POST", "_OTHER"),
  originalMethod: maybe(constantFrom("get", "BREW")),
  scheme: constantFrom("http" as const, "https" as const),
  path: words,
  query: maybe(words),
  serverAddress: maybe(words),
  serverPort: maybe(ports),
  clientAddress: maybe(constantFrom("10.0.0.1", "::1")),
  userAgent: maybe(constantFrom("curl/8", "Mozilla/5.0 ünï")),
  protocolVersion: constantFrom("1.1", "2"),
});

/** How an operation of each kind starts, and what is known of it at its end. */
const kinds: Arbitrary<Pick<Plan, "start" | "finish">> = oneof(
  record({
    template: templates,
    waitMs: constantFrom(0, 2, 2.5, 17.25),
    rows: maybe(constantFrom(0, 3, 100_000)),
    statusCode: maybe(constantFrom("42P01", "WRONGTYPE")),
    batchSize: maybe(constantFrom(2)),
    cache: maybe(constantFrom([1, 2, "user"] as const, [0, 3, undefined] as const)),
  }).map(({ template, waitMs, rows, statusCode, batchSize, cache }) => ({
    start: (parent: Context) =>
      startDatabaseOperation(template, "text", [1], parent, performance.now() - waitMs, waitMs),
    finish(operation: Operation) {
      if (operation.kind !== "database") return;
      Object.assign(operation, { rows, statusCode, batchSize });
      if (cache !== undefined) [operation.cacheHits, operation.cacheMisses, operation.cacheName] = cache;
    },
  })),
  record({ start: served, route: maybe(constantFrom("/orders/:id", "/")), statusCode: constantFrom(0, 200, 500) }).map(
    ({ start, route, statusCode }) => ({
      start: (parent: Context) => startHttpServerOperation(start, parent),
      finish(operation: Operation) {
        if (operation.kind !== "http.server") return;
        if (operation.request !== undefined) operation.request.route = route;
        operation.statusCode = statusCode;
      },
    }),
  ),
  record({
    start: record({
      method: constantFrom("GET", "_OTHER"),
      originalMethod: maybe(constantFrom("BREW")),
      url: words,
      serverAddress: words,
      serverPort: maybe(ports),
    }),
    statusCode: constantFrom(0, 200, 404),
    protocolVersion: maybe(constantFrom("1.1")),
  }).map(({ start, statusCode, protocolVersion }) => ({
    start: (parent: Context) => startHttpClientOperation(start, parent),
    finish(operation: Operation) {
      if (operation.kind === "http.client") Object.assign(operation, { statusCode, protocolVersion });
    },
  })),
);

const other = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
const seen = new TypeError("seen");
const touches: Arbitrary<Touch> = constantFrom<Touch>(
  (span) => span.setAttribute("app.tier", "gold"),
  (span) => span.setAttribute("http.response.status_code", 999),
  (span) => span.setAttribute("db.namespace", "the app's"),
  (span) => span.setAttributes({ "http.route": "/mine", list: [1, 2] }),
  (span) => span.updateName("the app's name"),
  (span) => span.addEvent("app.event", { a: 1 }),
  (span) => span.addLink({ context: other, attributes: { l: 1 } }),
  (span) => span.recordException(seen),
  (span) => span.setStatus({ code: SpanStatusCode.OK }),
  (span) => span.setStatus({ code: SpanStatusCode.ERROR, message: "the app's" }),
  (span) => (span as unknown as ReadableSpan).attributes,
  (span) => span.spanContext(),
  (span) => span.end(),
);

const annotations = array(
  tuple(
    constantFrom(
      "telltale.slow.reason",
      "telltale.repeat",
      "db.namespace",
      "http.route",
      "error.type",
      "network.protocol.version",
      "",
    ),
    constantFrom("threshold", 7, true),
  ),
  { maxLength: 3 },
);

const errors = constantFrom<unknown>(
  undefined,
  undefined,
  new TypeError("bad"),
  Object.assign(new Error("gone"), { code: "ECONNRESET" }),
  Object.assign(new Error("odd"), { message: 5 }),
  "a text",
  null,
);

const plans: Arbitrary<Plan> = letrec<{ plan: Plan }>((tie) => ({
  plan: tuple(
    kinds,
    oneof({ weight: 2, arbitrary: constantFrom([]) }, { weight: 1, arbitrary: array(touches, { maxLength: 4 }) }),
    oneof({ maxDepth: 3 }, constantFrom<readonly Plan[]>([]), array(tie("plan"), { maxLength: 3 })),
    annotations,
    errors,
  ).map(([kind, touched, children, annotated, error]) =>
    Object.assign({ touches: touched, children, annotations: annotated, error }, kind),
  ),
})).plan;

const parents: Arbitrary<Context> = oneof(
  constantFrom(ROOT_CONTEXT),
  record({
    traceFlags: constantFrom(0, 1, 3),
    isRemote: boolean(),
    traceState: constantFrom(createTraceState("v=1")),
  }).map((rest) => trace.setSpanContext(ROOT_CONTEXT, { ...other, ...rest })),
);

interface Performed {
  readonly operations: Operation[];
  /** What a call made inside of each operation would send on. */
  readonly sent: string[];
}

function perform(plan: Plan, parent: Context, performed: Performed): void {
  const operation = plan.start(parent);
  performed.operations.push(operation);
  const inside = contextOf(operation);
  const { traceId = "", traceFlags, traceState } = trace.getSpanContext(inside) ?? {};
  performed.sent.push(`${traceId === other.traceId} ${traceFlags} ${traceState?.serialize()}`);
  for (const touch of plan.touches) if (operation.span !== undefined) touch(operation.span);
  for (const child of plan.children) perform(child, inside, performed);
  plan.finish(operation);
  for (const [name, value] of plan.annotations) annotateOperation(operation, name, value);
  if (plan.error !== undefined) failOperation(operation, plan.error);
  endOperation(operation);
}

/** What is exported, with positions for ids and without times, those in order. */
function comparable(spans: readonly DecodedSpan[], { operations }: Performed): unknown[] {
  const order = new Map<string, number>();
  const traces = new Map<string, number | string>([[other.traceId, "other"]]);
  for (const [index, { span }] of operations.entries()) {
    if (span === undefined) continue;
    const { traceId, spanId } = span.spanContext();
    order.set(spanId, index);
    if (!traces.has(traceId)) traces.set(traceId, index);
  }
  const place = (span: DecodedSpan) => ({
    ...span,
    spanId: order.get(span.spanId),
    parentSpanId: order.get(span.parentSpanId) ?? span.parentSpanId,
    traceId: traces.get(span.traceId),
    startTimeUnixNano: undefined,
    endTimeUnixNano: undefined,
    events: span.events.map((event) => Object.assign(event, { timeUnixNano: undefined })),
  });
  return spans.toSorted((a, b) => (order.get(a.spanId) ?? -1) - (order.get(b.spanId) ?? -1)).map(place);
}

interface Outcome {
  readonly spans: unknown[];
  readonly sent: readonly string[];
}

async function run(
  provider: TracerProvider,
  exportedBy: () => Promise<DecodedSpan[]>,
  sequence: readonly (readonly [Plan, Context])[],
): Promise<Outcome & { performed: Performed; exported: DecodedSpan[] }> {
  const performed: Performed = { operations: [], sent: [] };
  const stop = addSpanListener(provider);
  for (const [plan, parent] of sequence) perform(plan, parent, performed);
  stop();
  const exported = await exportedBy();
  return { spans: comparable(exported, performed), sent: performed.sent, performed, exported };
}

class Collecting implements SpanProcessor {
  readonly ended: ReadableSpan[] = [];
  onStart(): void {}
  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & 1) === 1) this.ended.push(span);
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
  decode(): DecodedSpan[] {
    return decodeSpans(ProtobufTraceSerializer.serializeRequest(this.ended) ?? new Uint8Array());
  }
}

function runSdk(sampler: SamplerName, spanLimits: SpanLimits, sequence: readonly (readonly [Plan, Context])[]) {
  const collecting = new Collecting();
  const resource = emptyResource();
  const spanProcessors = [collecting];
  const provider = new SdkTracerProvider({ resource, sampler: sdkSampler(sampler, 1), spanLimits, spanProcessors });
  return run(provider, async () => collecting.decode(), sequence);
}

function runEngine(
  sampler: SamplerName,
  spanLimits: SpanLimits,
  sequence: readonly (readonly [Plan, Context])[],
  spanProcessors: SpanProcessor[] = [],
) {
  const spans: DecodedSpan[] = [];
  const provider = createTracerProvider({
    resource: emptyResource(),
    sampler: createSampler(sampler),
    spanLimits,
    spanProcessors,
    export: new SpanExport({
      async deliver(request) {
        spans.push(...decodeSpans(request));
        return { ok: true };
      },
    }),
  });
  const flushed = async () => {
    await provider.forceFlush();
    return spans;
  };
  return run(provider, flushed, sequence);
}

const samplers = constantFrom<SamplerName>(
  "parentbased_always_on",
  "parentbased_always_off",
  "always_on",
  "always_off",
);
const sequences = array(tuple(plans, parents), { minLength: 1, maxLength: 4 });

describe("the same operations make the same spans as on the SDK", () => {
  test("without the API", async () => {
    let spans = 0;
    await assert(
      asyncProperty(samplers, sequences, async (sampler, sequence) => {
        const sdk = await runSdk(sampler, {}, sequence);
        const engine = await runEngine(sampler, {}, sequence);
        expect(engine.spans).toEqual(sdk.spans);
        expect(engine.sent).toEqual(sdk.sent);
        spans += sdk.spans.length;
      }),
      { numRuns: 600 },
    );
    expect(spans).toBeGreaterThan(600);
  });

  test("with a processor, which hears the same", async () => {
    await assert(
      asyncProperty(samplers, sequences, async (sampler, sequence) => {
        const sdk = await runSdk(sampler, {}, sequence);
        const collecting = new Collecting();
        const engine = await runEngine(sampler, {}, sequence, [collecting]);
        expect(engine.spans).toEqual(sdk.spans);
        expect(comparable(collecting.decode(), engine.performed)).toEqual(sdk.spans);
        expect(engine.sent).toEqual(sdk.sent);
      }),
      { numRuns: 200 },
    );
  });

  test.each<[change: object, touches?: readonly Touch[]]>([
    [{ rows: 2 }],
    [{ statusCode: "WRONGTYPE" }],
    [{ batchSize: 3 }],
    [{ cacheHits: 2 }],
    [{ cacheMisses: 3 }],
    [{ cacheName: "user" }],
    [{}, [(span) => span.updateName("the app's name")]],
    [{}],
  ])("a call that goes like the one before but for %j", async (change, touches = []) => {
    const template = { ...shared, slots: [] };
    const alike = { rows: 1, statusCode: "OK", batchSize: 2, cacheHits: 1, cacheMisses: 2, cacheName: "item" };
    const call = (facts: object, touched: readonly Touch[]): [Plan, Context] => [
      {
        start: (parent) => startDatabaseOperation(template, undefined, undefined, parent),
        touches: touched,
        children: [],
        finish: (operation) => void Object.assign(operation, facts),
        annotations: [],
        error: undefined,
      },
      ROOT_CONTEXT,
    ];
    const sequence = [call(alike, []), call({ ...alike, ...change }, touches), call(alike, [])];
    const sdk = await runSdk("always_on", {}, sequence);
    expect((await runEngine("always_on", {}, sequence)).spans).toEqual(sdk.spans);
  });

  test.each<SpanLimits>([
    { attributeCountLimit: 3 },
    { attributeValueLengthLimit: 5 },
    { attributeCountLimit: 64, eventCountLimit: 1, linkCountLimit: 0 },
  ])("with the limits %j", async (limits) => {
    await assert(
      asyncProperty(sequences, async (sequence) => {
        const sdk = await runSdk("parentbased_always_on", limits, sequence);
        expect((await runEngine("parentbased_always_on", limits, sequence)).spans).toEqual(sdk.spans);
      }),
      { numRuns: 100 },
    );
  });
});

test("a span begins and ends when its operation does", async () => {
  await assert(
    asyncProperty(plans, async (plan) => {
      const { performed, exported } = await runEngine("always_on", {}, [[{ ...plan, touches: [] }, ROOT_CONTEXT]]);
      const epochMs = (nanos: string) => Number(BigInt(nanos) / 1_000n) / 1_000;
      const byId = new Map(exported.map((span) => [span.spanId, span]));
      for (const { span, startMs, endMs } of performed.operations.slice(0, 1)) {
        const { startTimeUnixNano = "0", endTimeUnixNano = "0" } = byId.get(span?.spanContext().spanId ?? "") ?? {};
        expect(Math.abs(epochMs(startTimeUnixNano) - performance.timeOrigin - startMs)).toBeLessThan(1);
        const tookNs = Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano));
        expect(Math.abs(tookNs - (endMs - startMs) * 1e6)).toBeLessThan(2);
      }
    }),
    { numRuns: 50 },
  );
});

test("attributes that an app reads before the end are those known by then", () => {
  const provider = createTracerProvider({ resource: emptyResource() });
  const stop = addSpanListener(provider);
  const start = { method: "GET", originalMethod: undefined, url: "http://x/", serverAddress: "x", serverPort: 80 };
  const operation = startHttpClientOperation(start, ROOT_CONTEXT);
  const readable = operation.span as unknown as ReadableSpan;
  expect(readable.attributes).toEqual({
    "http.request.method": "GET",
    "url.full": "http://x/",
    "server.address": "x",
    "server.port": 80,
  });
  operation.statusCode = 204;
  endOperation(operation);
  stop();
  expect(readable.attributes["http.response.status_code"]).toBe(204);
});
