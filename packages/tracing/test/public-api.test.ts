import { inspect } from "node:util";
import {
  type Context,
  context,
  createTraceState,
  diag,
  ROOT_CONTEXT,
  type Span as ApiSpan,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { ExportResultCode } from "@opentelemetry/core";
import { emptyResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ConsoleSpanExporter,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { selfCounters, setSay } from "@telltale/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createSampler, createTracerProvider, SpanExport, type TracerProviderOptions } from "../src/index.js";
import { type DecodedSpan, decodeSpans } from "./otlp-decoder.js";

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => context.disable());

const said: string[] = [];
beforeEach(() => {
  said.length = 0;
  setSay((level, line) => said.push(`${level}: ${line}`));
});
afterEach(() => {
  setSay(() => {});
  vi.restoreAllMocks();
});

/** How often a part of Telltale's surroundings has failed so far. */
function failures(part: string): number {
  let total = 0;
  for (const counter of selfCounters()) {
    if (counter.metric === "telltale.instrumentation.errors" && counter.value === part) total += counter.total;
  }
  return total;
}

type Provider = ReturnType<typeof createTracerProvider>;

/** A provider that exports as well, and what it has exported. */
function createProvider(options: Partial<TracerProviderOptions> = {}): { provider: Provider; exported: DecodedSpan[] } {
  const exported: DecodedSpan[] = [];
  const provider = createTracerProvider({
    resource: emptyResource(),
    ...options,
    export: new SpanExport({
      async deliver(request) {
        exported.push(...decodeSpans(request));
        return { ok: true };
      },
    }),
  });
  return { provider, exported };
}

const processorOf = (parts: Partial<SpanProcessor>): SpanProcessor => ({
  onStart() {},
  onEnd() {},
  async forceFlush() {},
  async shutdown() {},
  ...parts,
});

const boom = (): never => {
  throw new Error("boom");
};

describe("samplers", () => {
  const samplerOf = (result: ReturnType<Sampler["shouldSample"]>): Sampler => ({
    shouldSample: () => result,
    toString: () => "mine",
  });

  test("a span that is only recorded is heard and not exported, and its children know", async () => {
    const ended: string[] = [];
    const { provider, exported } = createProvider({
      sampler: samplerOf({ decision: SamplingDecision.RECORD }),
      spanProcessors: [processorOf({ onEnd: (span) => void ended.push(span.name) })],
    });
    const span = provider.getTracer("t").startSpan("s");
    expect([span.isRecording(), span.spanContext().traceFlags]).toEqual([true, 0]);
    span.end();
    await provider.forceFlush();
    expect([ended, exported]).toEqual([["s"], []]);
  });

  test("attributes of the sampler and a changed trace state are the span's, the parent keeps its own", async () => {
    let heard: ReadableSpan | undefined;
    const { provider, exported } = createProvider({
      sampler: samplerOf({
        decision: SamplingDecision.RECORD_AND_SAMPLED,
        attributes: { "sampler.rule": "all", given: "changed" },
        traceState: createTraceState("mine=1"),
      }),
      spanProcessors: [processorOf({ onEnd: (span) => void (heard = span) })],
    });
    const parent = { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 0, isRemote: true };
    const from = trace.setSpanContext(ROOT_CONTEXT, parent);
    provider
      .getTracer("t")
      .startSpan("s", { attributes: { given: 1, other: 2 } }, from)
      .end();
    await provider.forceFlush();
    expect(exported[0]).toMatchObject({
      traceState: "mine=1",
      attributes: {
        "sampler.rule": { stringValue: "all" },
        given: { stringValue: "changed" },
        other: { intValue: "2" },
      },
    });
    expect(heard?.parentSpanContext).toEqual(parent);
    expect(heard?.spanContext().traceState?.serialize()).toBe("mine=1");
  });

  test("a trace state of null is none", async () => {
    const result = { decision: SamplingDecision.RECORD_AND_SAMPLED, traceState: null } as never;
    const { provider, exported } = createProvider({ sampler: samplerOf(result) });
    provider.getTracer("t").startSpan("s").end();
    await provider.forceFlush();
    expect(exported.map(({ name }) => name)).toEqual(["s"]);
  });

  test("a logger of the app's that throws is heard by nobody", () => {
    diag.setLogger(
      { debug: boom, error: boom, info: boom, verbose: boom, warn: boom },
      { suppressOverrideMessage: true },
    );
    onTestFinished(() => diag.disable());
    const { provider } = createProvider();
    const span = provider.getTracer("t").startSpan("s");
    span.setAttribute("", 1);
    span.recordException({} as Error);
    span.end();
    span.end();
    expect(span.isRecording()).toBe(false);
  });

  test("a sampler is asked with what it needs", () => {
    const asked: unknown[][] = [];
    const { provider } = createProvider({
      sampler: {
        shouldSample(...of) {
          asked.push(of);
          return { decision: SamplingDecision.NOT_RECORD };
        },
      },
    });
    const link = { context: { traceId: "3".repeat(32), spanId: "4".repeat(16), traceFlags: 0 }, attributes: { l: 1 } };
    const parent = trace.setSpanContext(ROOT_CONTEXT, {
      traceId: "1".repeat(32),
      spanId: "2".repeat(16),
      traceFlags: 1,
    });
    provider.getTracer("t").startSpan("s", { kind: SpanKind.PRODUCER, attributes: { a: [1] }, links: [link] }, parent);
    expect(asked).toEqual([
      [parent, "1".repeat(32), "s", SpanKind.PRODUCER, { a: [1] }, [{ ...link, droppedAttributesCount: 0 }]],
    ]);
  });

  test.each<[string, () => unknown]>([
    ["throws", boom],
    ["returns nothing", () => undefined],
    ["answers later", () => Promise.resolve({ decision: SamplingDecision.RECORD_AND_SAMPLED })],
    ["decides what nobody knows", () => ({ decision: 9 })],
    [
      "throws what has no text",
      () => {
        throw Object.create(null);
      },
    ],
    [
      "has a result that throws when it is read",
      () => ({
        decision: SamplingDecision.RECORD_AND_SAMPLED,
        get attributes() {
          return boom();
        },
      }),
    ],
  ])("one that %s is nobody's reason to lose a trace", async (_, shouldSample) => {
    const before = failures("sampler");
    const { provider, exported } = createProvider({ sampler: { shouldSample } as Sampler });
    provider.getTracer("t").startSpan("s").end();
    await provider.forceFlush();
    expect(exported.map(({ name }) => name)).toEqual(["s"]);
    expect(failures("sampler")).toBe(before + 1);
  });
});

describe("id generators", () => {
  test("their ids are used", () => {
    const generateSpanId = vi.fn(() => "00F067AA0BA902B7");
    const { provider } = createProvider({
      idGenerator: { generateTraceId: () => "4BF92F3577B34DA6A3CE929D0E0E4736", generateSpanId },
    });
    const span = provider.getTracer("t").startSpan("s");
    expect(span.spanContext()).toMatchObject({
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: "00f067aa0ba902b7",
    });
    const child = provider.getTracer("t").startSpan("s", {}, trace.setSpan(ROOT_CONTEXT, span));
    expect(child.spanContext().traceId).toBe("4bf92f3577b34da6a3ce929d0e0e4736");
    expect(generateSpanId).toHaveBeenCalledTimes(2);
  });

  test.each<[string, () => unknown]>([
    ["throws", boom],
    ["returns a number", () => 5],
    ["returns a bigint", () => 5n],
    ["returns zeros", () => "0".repeat(32)],
    ["returns nothing", () => undefined],
    ["returns too much", () => "f".repeat(33)],
  ])("one that %s is replaced by random ids", (_, generate) => {
    const generator = { generateTraceId: generate, generateSpanId: generate } as {
      generateTraceId(): string;
      generateSpanId(): string;
    };
    const { provider } = createProvider({ idGenerator: generator });
    const before = failures("id generator");
    const contexts = [1, 2].map(() => provider.getTracer("t").startSpan("s", {}, ROOT_CONTEXT).spanContext());
    expect(contexts.every((each) => trace.isSpanContextValid(each))).toBe(true);
    expect(new Set(contexts.flatMap(({ traceId, spanId }) => [traceId, spanId])).size).toBe(4);
    expect(failures("id generator")).toBe(before + 4);
  });
});

describe("processors", () => {
  test("hear the start with the parent's context, and change the span until it has ended", async () => {
    const key = Symbol("k");
    const heard: unknown[] = [];
    const { provider, exported } = createProvider({
      spanProcessors: [
        processorOf({
          onStart(span, parent: Context) {
            heard.push(["start", parent.getValue(key), span.attributes]);
            span.setAttribute("onStart", 1);
          },
          onEnding(span) {
            heard.push(["ending", span.ended, span.isRecording(), span.endTime[0] > 1e9, span.duration[0] >= 0]);
            span.setAttribute("onEnding", 2).updateName("renamed").addEvent("late");
            span.setStatus({ code: SpanStatusCode.ERROR, message: "found late" });
          },
          onEnd(span) {
            heard.push(["end", span.ended, span.name]);
            (span as unknown as ApiSpan).setAttribute("onEnd", 3);
          },
        }),
      ],
    });
    provider
      .getTracer("t")
      .startSpan("s", { attributes: { a: 0 } }, ROOT_CONTEXT.setValue(key, "v"))
      .end();
    await provider.forceFlush();
    expect(heard).toEqual([
      ["start", "v", expect.objectContaining({ a: 0 })],
      ["ending", false, true, true, true],
      ["end", true, "renamed"],
    ]);
    expect(exported[0]).toMatchObject({
      name: "renamed",
      events: [{ name: "late" }],
      status: { code: 2, message: "found late" },
    });
    expect(Object.keys(exported[0]?.attributes ?? {})).toEqual(["a", "onStart", "onEnding"]);
  });

  test.each(["onStart", "onEnding", "onEnd"] as const)(
    "what throws in %s reaches neither the app nor the others",
    async (hook) => {
      const ended: string[] = [];
      const { provider, exported } = createProvider({
        spanProcessors: [
          processorOf({ [hook]: boom }),
          Object.assign(Object.create(null) as object, processorOf({ [hook]: boom })),
          processorOf({ onEnd: (span) => void ended.push(span.name) }),
        ],
      });
      const before = failures("span processor");
      for (const name of ["a", "b"]) provider.getTracer("t").startSpan(name).end();
      await provider.forceFlush();
      expect([ended, exported.map(({ name }) => name)]).toEqual([
        ["a", "b"],
        ["a", "b"],
      ]);
      expect(failures("span processor")).toBe(before + 4);
    },
  );

  test("a failing one is named once", () => {
    class Redactor {
      onStart(): void {}
      onEnd = boom;
      async forceFlush(): Promise<void> {}
      async shutdown(): Promise<void> {}
    }
    const { provider } = createProvider({ spanProcessors: [new Redactor()] });
    for (let i = 0; i < 3; i++) provider.getTracer("t").startSpan("s").end();
    expect(said).toEqual([
      expect.stringMatching(/^error: the span processor Redactor failed; the app is not affected: Error: boom\n/),
    ]);
  });

  test("one that ends the span while it ends, ends it once", async () => {
    const ended: string[] = [];
    const { provider, exported } = createProvider({
      spanProcessors: [processorOf({ onEnding: (span) => span.end(), onEnd: (span) => void ended.push(span.name) })],
    });
    provider.getTracer("t").startSpan("s").end();
    await provider.forceFlush();
    expect([ended, exported.length]).toEqual([["s"], 1]);
  });

  test("what one removes from an ended span is not exported", async () => {
    const { provider, exported } = createProvider({
      spanProcessors: [processorOf({ onEnd: (span) => void delete span.attributes["secret"] })],
    });
    provider
      .getTracer("t")
      .startSpan("s", { attributes: { secret: "x", kept: 1 } })
      .end();
    await provider.forceFlush();
    expect(Object.keys(exported[0]?.attributes ?? {})).toEqual(["kept"]);
  });
});

describe("what the app hands over may throw when it is read", () => {
  const hostile = {
    get secret() {
      return boom();
    },
  };
  const unreadable = new Proxy({}, { ownKeys: boom });

  test.each<[string, (span: ApiSpan) => unknown]>([
    ["setAttributes", (span) => span.setAttributes(hostile)],
    ["setAttributes of a proxy", (span) => span.setAttributes(unreadable)],
    ["setAttribute of an object", (span) => span.setAttribute("k", hostile)],
    ["setAttribute of a proxy", (span) => span.setAttribute("k", unreadable as string)],
    ["addEvent", (span) => span.addEvent("e", hostile)],
    ["addLink", (span) => span.addLink({ context: span.spanContext(), attributes: hostile })],
    [
      "recordException",
      (span) =>
        span.recordException({
          message: "m",
          get code() {
            return boom();
          },
        } as unknown as Error),
    ],
  ])("%s", async (_, use) => {
    const { provider, exported } = createProvider();
    const before = failures("attributes");
    const span = provider.getTracer("t").startSpan("s", {
      attributes: hostile,
      links: [{ context: { traceId: "1", spanId: "2", traceFlags: 0 }, attributes: hostile }],
    });
    use(span);
    span.setAttribute("after", true).end();
    await provider.forceFlush();
    expect(exported[0]?.attributes).toEqual({ after: { boolValue: true } });
    expect(failures("attributes")).toBe(before + 3);
  });

  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  const nameless = Object.create(null) as object;
  // oxfmt-ignore
  const ODD: readonly unknown[] = [
    Object.assign([1, 2], { [Symbol.iterator]: boom }),
    null, undefined, 0, Number.NaN, -1, Infinity, 1n, Symbol("s"), "", "text", true, () => 1, {}, [], [null], [1, 2], hostile, unreadable,
    revoked.proxy, nameless, { toString: boom }, new Proxy({}, { get: boom, getPrototypeOf: boom }), new Date(Number.NaN), [Number.NaN, 0],
    new Map(), new Uint8Array(2),
  ];
  const context1 = { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 };

  test.each<[string, (provider: Provider, odd: never) => unknown]>([
    ["the name", (provider, odd) => provider.getTracer("t").startSpan(odd)],
    ["all options", (provider, odd) => provider.getTracer("t").startSpan("s", odd)],
    ...(["kind", "attributes", "links", "startTime", "root"] as const).map(
      (option): [string, (provider: Provider, odd: never) => unknown] => [
        `the option ${option}`,
        (provider, odd) => provider.getTracer("t").startSpan("s", { [option]: odd }),
      ],
    ),
    ["a link", (provider, odd) => provider.getTracer("t").startSpan("s", { links: [odd] })],
    ["the parent", (provider, odd) => provider.getTracer("t").startSpan("s", {}, odd)],
    [
      "the parent's context",
      (provider, odd) =>
        provider.getTracer("t").startSpan("s", {}, trace.setSpan(ROOT_CONTEXT, trace.wrapSpanContext(odd))),
    ],
    ...(["traceState", "traceFlags", "isRemote"] as const).map(
      (part): [string, (provider: Provider, odd: never) => unknown] => [
        `the parent's ${part}`,
        (provider, odd) => {
          const parent = trace.wrapSpanContext({ ...context1, [part]: odd });
          return provider.getTracer("t").startSpan("s", {}, trace.setSpan(ROOT_CONTEXT, parent));
        },
      ],
    ),
    ["the tracer's name", (provider, odd) => provider.getTracer(odd).startSpan("s")],
    ["the tracer's version", (provider, odd) => provider.getTracer("t", odd).startSpan("s")],
    ["the schema's URL", (provider, odd) => provider.getTracer("t", "1", { schemaUrl: odd }).startSpan("s")],
  ])("%s of a span at its start", async (_, start) => {
    const { provider, exported } = createProvider({ sampler: createSampler("always_on") });
    for (const odd of ODD) {
      const span = start(provider, odd as never) as ApiSpan;
      span.end();
      expect(() => span.end()).not.toThrow();
    }
    await provider.forceFlush();
    expect(exported).toHaveLength(ODD.length);
  });

  test.each<[string, (span: ApiSpan, odd: never) => unknown]>([
    ["setAttribute by key", (span, odd) => span.setAttribute(odd, 1)],
    ["setAttribute", (span, odd) => span.setAttribute("k", odd)],
    ["setAttributes", (span, odd) => span.setAttributes(odd)],
    ["addEvent with attributes", (span, odd) => span.addEvent("e", odd)],
    ["addEvent with a time", (span, odd) => span.addEvent("e", {}, odd)],
    ["addLink", (span, odd) => span.addLink(odd)],
    ["addLinks", (span, odd) => span.addLinks(odd)],
    ["addLinks of one", (span, odd) => span.addLinks([odd])],
    ["setStatus", (span, odd) => span.setStatus(odd)],
    ["setStatus by code", (span, odd) => span.setStatus({ code: odd })],
    ["setStatus with a message", (span, odd) => span.setStatus({ code: SpanStatusCode.ERROR, message: odd })],
    ["recordException", (span, odd) => span.recordException(odd)],
    ["recordException with a time", (span, odd) => span.recordException(new Error("e"), odd)],
    ["updateName", (span, odd) => span.updateName(odd)],
    ["end", (span, odd) => span.end(odd)],
  ])("%s, with anything", async (_, use) => {
    const { provider, exported } = createProvider();
    for (const odd of ODD) {
      const span = provider.getTracer("t").startSpan("s");
      use(span, odd as never);
      span.end();
      // Ended, and still harmless.
      use(span, odd as never);
    }
    await provider.forceFlush();
    expect(exported).toHaveLength(ODD.length);
  });

  test("a time that the app changes later is what it was", () => {
    const { provider } = createProvider();
    const time: [number, number] = [1_200_000_000, 5];
    const span = provider.getTracer("t").startSpan("s", { startTime: time }) as ApiSpan & ReadableSpan;
    span.end(time);
    time[0] = 1;
    expect([span.startTime, span.endTime]).toEqual([
      [1_200_000_000, 5],
      [1_200_000_000, 5],
    ]);
  });

  test("an active span without anything to run in it", () => {
    const { provider } = createProvider();
    expect((provider.getTracer("t").startActiveSpan as (name: string) => unknown)("s")).toBeUndefined();
  });

  test("a processor that is none", () => {
    const { provider } = createProvider({ spanProcessors: [null as unknown as SpanProcessor] });
    const before = failures("span processor");
    provider.getTracer("t").startSpan("s").end();
    expect(failures("span processor")).toBe(before + 3);
  });

  test.each<[string, unknown]>([
    ["nested deeper than the stack", JSON.parse(`${"[".repeat(20_000)}${"]".repeat(20_000)}`)],
    ["nested deeper than collectors read", JSON.parse(`${"[".repeat(31)}${"]".repeat(31)}`)],
    // 2⁴⁰ leaves.
    ["shared", Array.from({ length: 40 }).reduce<unknown>((half) => ({ a: half, b: half }), 1)],
    ["long texts, shared", Array.from({ length: 100 }, () => Array.from({ length: 10 }).fill("x".repeat(100_000)))],
    ["long keys, shared", Array.from({ length: 1_000 }, () => ({ ["k".repeat(100_000)]: 1 }))],
    ["a text of 17 MB", "x".repeat(17 * 1024 * 1024)],
    ["texts of 17 MB", Array.from({ length: 17 }, () => "x".repeat(1024 * 1024))],
    ["sparse", Object.assign([], { length: 2 ** 32 - 1 })],
  ])("a value that is %s is left out, at once", async (_, value) => {
    const { provider, exported } = createProvider();
    const begin = performance.now();
    const span = provider.getTracer("t").startSpan("s");
    span.setAttribute("k", value as string).addEvent("e", { k: value as string });
    span.setAttribute("after", true).end();
    expect(performance.now() - begin).toBeLessThan(2_000);
    await provider.forceFlush();
    expect(exported[0]?.attributes).toEqual({ after: { boolValue: true } });
  });

  test("an attribute that is large and no more than that is kept", async () => {
    const { provider, exported } = createProvider();
    const list = Array.from({ length: 100_000 }, (_, at) => at);
    const deep = JSON.parse(`${"[".repeat(30)}${"]".repeat(30)}`) as string[];
    provider.getTracer("t").startSpan("s", { attributes: { list, deep } }).end();
    await provider.forceFlush();
    expect(Object.keys(exported[0]?.attributes ?? {})).toEqual(["list", "deep"]);
  });

  test("what it changes afterwards does not change the span", async () => {
    const { provider, exported } = createProvider();
    const list = ["a"];
    const bytes = Buffer.from("before");
    const object = { deep: { list } };
    const span = provider.getTracer("t").startSpan("s").setAttributes({ list, bytes, object });
    list.push("b");
    bytes.fill(0);
    object.deep.list = [];
    span.end();
    await provider.forceFlush();
    expect(exported[0]?.attributes).toEqual({
      list: { arrayValue: [{ stringValue: "a" }] },
      bytes: { bytesValue: Buffer.from("before").toString("hex") },
      object: { kvlistValue: { deep: { kvlistValue: { list: { arrayValue: [{ stringValue: "a" }] } } } } },
    });
  });
});

describe("exporters of the SDK", () => {
  const resource = resourceFromAttributes({ "service.name": "shop" });

  test.each<[string, (exporter: SpanExporter) => SpanProcessor]>([
    ["SimpleSpanProcessor", (exporter) => new SimpleSpanProcessor({ exporter })],
    ["BatchSpanProcessor", (exporter) => new BatchSpanProcessor({ exporter })],
  ])("%s exports what was recorded", async (_, createProcessor) => {
    const exporter = new InMemorySpanExporter();
    const { provider } = createProvider({ resource, spanProcessors: [createProcessor(exporter)] });
    const tracer = provider.getTracer("t", "1");
    tracer.startActiveSpan("outer", (outer) => {
      tracer
        .startSpan("inner", { kind: SpanKind.CLIENT, startTime: [1_700_000_000, 5], attributes: { a: 1 } })
        .end([1_700_000_001, 4]);
      outer.end();
    });
    await provider.forceFlush();
    const [inner, outer] = exporter.getFinishedSpans();
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    expect(outer?.parentSpanContext).toBeUndefined();
    expect(inner).toMatchObject({
      name: "inner",
      kind: SpanKind.CLIENT,
      startTime: [1_700_000_000, 5],
      endTime: [1_700_000_001, 4],
      duration: [0, 999_999_999],
      ended: true,
      attributes: { a: 1 },
      instrumentationScope: { name: "t", version: "1" },
      resource,
      status: { code: 0 },
      links: [],
      events: [],
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    });
    await provider.shutdown();
  });

  /** What the console exporter prints of a span, ids and times aside. */
  function printed(createWith: (processor: SpanProcessor) => { getTracer: Provider["getTracer"] }): unknown {
    const dir = vi.spyOn(console, "dir").mockImplementation(() => {});
    const provider = createWith(new SimpleSpanProcessor({ exporter: new ConsoleSpanExporter() }));
    const parent = {
      traceId: "1".repeat(32),
      spanId: "2".repeat(16),
      traceFlags: 1,
      isRemote: true,
      traceState: createTraceState("a=b"),
    };
    const span = provider
      .getTracer("t", "1")
      .startSpan(
        "s",
        { startTime: [1, 2], attributes: { a: [1], s: "x" } },
        trace.setSpanContext(ROOT_CONTEXT, parent),
      );
    span.addEvent("e", { k: 1 }, [1, 3]).addLink({ context: parent, attributes: { l: 1 } });
    span.setStatus({ code: SpanStatusCode.ERROR, message: "m" }).end([2, 2]);
    const [[shown]] = dir.mock.calls as [[object]];
    dir.mockRestore();
    return { ...shown, id: undefined };
  }

  test("ConsoleSpanExporter prints the same", () => {
    const sdk = printed((processor) => new TracerProvider({ resource, spanProcessors: [processor] }));
    expect(Object.keys(sdk as object).length).toBeGreaterThan(10);
    expect(printed((processor) => createProvider({ resource, spanProcessors: [processor] }).provider)).toEqual(sdk);
  });

  test("one written only for the interface", async () => {
    const batches: string[][] = [];
    const exporter: SpanExporter = {
      export(spans, done) {
        batches.push(spans.map(({ name }) => name));
        done({ code: ExportResultCode.SUCCESS });
      },
      async shutdown() {},
    };
    const { provider } = createProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
    for (const name of ["a", "b", "c"]) provider.getTracer("t").startSpan(name).end();
    await provider.shutdown();
    expect(batches).toEqual([["a", "b", "c"]]);
  });

  test("a span can be looked at", () => {
    const { provider } = createProvider();
    const span = provider.getTracer("t").startSpan("looked at", { attributes: { a: 1 } });
    const shown = inspect(span);
    expect(shown).toContain("looked at");
    expect(shown).toContain(span.spanContext().spanId);
    expect(() =>
      inspect(provider.getTracer("t").startSpan("s", {}, trace.setSpan(ROOT_CONTEXT, span)), { depth: 9 }),
    ).not.toThrow();
  });
});

describe("forceFlush and shutdown", () => {
  test("a flush says who failed and who was late, and the others have flushed", async () => {
    const flushed = vi.fn(async () => {});
    const late = processorOf({ forceFlush: () => new Promise(() => {}) });
    const { provider, exported } = createProvider({
      spanProcessors: [
        processorOf({ forceFlush: boom }),
        processorOf({ forceFlush: () => Promise.reject(new Error("refused")) }),
        late,
        processorOf({ forceFlush: flushed }),
      ],
    });
    provider.getTracer("t").startSpan("s").end();
    const errors = await provider.forceFlush({ timeoutMillis: 20 }).catch((reason: unknown) => reason as Error[]);
    expect(errors).toHaveLength(3);
    expect(errors?.map(({ message }) => message)).toEqual(["boom", "refused", expect.stringContaining("20 ms")]);
    expect(flushed).toHaveBeenCalledOnce();
    expect(exported).toHaveLength(1);
  });

  test("a shutdown reaches all, then says that one failed", async () => {
    const shutdown = vi.fn(async () => {});
    const { provider, exported } = createProvider({
      spanProcessors: [processorOf({ shutdown: boom }), processorOf({ shutdown })],
    });
    provider.getTracer("t").startSpan("s").end();
    await expect(provider.shutdown()).rejects.toThrow("boom");
    expect(shutdown).toHaveBeenCalledOnce();
    expect(exported).toHaveLength(1);
  });

  test("spans after the shutdown do no harm", async () => {
    const { provider, exported } = createProvider();
    await provider.shutdown();
    const span = provider.getTracer("t").startSpan("s");
    span.setAttribute("a", 1).end();
    await provider.forceFlush();
    await provider.shutdown();
    expect(exported).toEqual([]);
  });
});

test("a shutdown that nobody answers is given up, and holds the process no longer", async () => {
  const provider = createTracerProvider({
    resource: emptyResource(),
    spanProcessors: [
      { onStart() {}, onEnd() {}, forceFlush: () => Promise.resolve(), shutdown: () => new Promise<void>(() => {}) },
    ],
  });
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  const given = expect(provider.shutdown({ timeoutMillis: 20 })).rejects.toThrow("did not shut down within 20 ms");
  expect(timers()).toBeGreaterThan(before);
  await given;
  // Others may have ended meanwhile.
  expect(timers()).toBeLessThanOrEqual(before);
});

test("links that TypeScript forbids are none", async () => {
  const provider = createTracerProvider({ resource: emptyResource() });
  const tracer = provider.getTracer("app");
  expect(() => tracer.startSpan("work", { links: null as never }, ROOT_CONTEXT).end()).not.toThrow();
});
