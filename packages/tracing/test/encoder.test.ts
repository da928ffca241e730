import { type Attributes, createTraceState, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { emptyResource, resourceFromAttributes } from "@opentelemetry/resources";
import { type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import { array, assert, asyncProperty, dictionary, string } from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { createTracerProvider, SpanExport, type TracerProviderOptions } from "../src/index.js";
import { type DecodedAttributes, type DecodedSpan, type DecodedValue, decodeSpans } from "./otlp-decoder.js";
import { LONG, numbers, texts, values } from "./values.js";

const MB = 1024 * 1024;
const NO_LIMIT = { attributeCountLimit: Infinity, eventCountLimit: Infinity, linkCountLimit: Infinity };

/** Makes spans, and decodes what is delivered of them. */
async function encoded(
  make: (provider: ReturnType<typeof createTracerProvider>) => void,
  options: Partial<TracerProviderOptions> = {},
): Promise<DecodedSpan[]> {
  const spans: DecodedSpan[] = [];
  const provider = createTracerProvider({
    resource: emptyResource(),
    ...options,
    export: new SpanExport({
      maxQueueBytes: 64 * MB,
      async deliver(request) {
        spans.push(...decodeSpans(request));
        return { ok: true };
      },
    }),
  });
  make(provider);
  await provider.forceFlush();
  return spans;
}

async function encodedAttributes(attributes: unknown, limits = NO_LIMIT): Promise<DecodedAttributes> {
  const [span] = await encoded(
    (provider) =>
      provider
        .getTracer("t")
        .startSpan("s", { attributes: attributes as Attributes })
        .end(),
    { spanLimits: limits },
  );
  if (span === undefined) throw new Error("no span was delivered");
  return span.attributes;
}

const text = (of: string): DecodedValue => ({ stringValue: of });
const int = (of: string): DecodedValue => ({ intValue: of });

test.each<[string, unknown, DecodedValue]>([
  ["a text", "GET", text("GET")],
  ["an empty text", "", text("")],
  ["39 letters", "x".repeat(39), text("x".repeat(39))],
  ["40 letters", "x".repeat(40), text("x".repeat(40))],
  ["127 bytes", "é".repeat(63) + "x", text("é".repeat(63) + "x")],
  ["16,384 letters", "y".repeat(16_384), text("y".repeat(16_384))],
  ["letters of four bytes", "𝒳".repeat(50), text("𝒳".repeat(50))],
  ["half a letter", "a\ud800b", text("a\ufffdb")],
  ["the other half, in a long text", `${"x".repeat(50)}\udc00`, text(`${"x".repeat(50)}\ufffd`)],
  ["NUL", "a\0b", text("a\0b")],
  ["true", true, { boolValue: true }],
  ["false", false, { boolValue: false }],
  ["0", 0, int("0")],
  ["-0", -0, int("0")],
  ["127", 127, int("127")],
  ["128", 128, int("128")],
  ["-1", -1, int("-1")],
  ["2³¹ - 1", 2 ** 31 - 1, int("2147483647")],
  ["2³¹", 2 ** 31, int("2147483648")],
  ["-2³¹ - 1", -(2 ** 31) - 1, int("-2147483649")],
  ["2⁵³", 2 ** 53, int("9007199254740992")],
  ["-2⁵³ + 1", -(2 ** 53) + 1, int("-9007199254740991")],
  ["the last double below 2⁶³", 2 ** 63 - 1024, int("9223372036854774784")],
  ["-2⁶³", -(2 ** 63), int("-9223372036854775808")],
  ["2⁶³, too large for an int", 2 ** 63, { doubleValue: 2 ** 63 }],
  ["the next double below -2⁶³", -(2 ** 63) - 2048, { doubleValue: -(2 ** 63) - 2048 }],
  ["a half", 0.5, { doubleValue: 0.5 }],
  ["the smallest", 5e-324, { doubleValue: 5e-324 }],
  ["the largest", Number.MAX_VALUE, { doubleValue: Number.MAX_VALUE }],
  ["NaN", Number.NaN, { doubleValue: Number.NaN }],
  ["-Infinity", -Infinity, { doubleValue: -Infinity }],
  ["nothing", null, {}],
  ["bytes", new Uint8Array([0, 255]), { bytesValue: "00ff" }],
  ["a Buffer", Buffer.from("ü"), { bytesValue: "c3bc" }],
  ["no bytes", new Uint8Array(), { bytesValue: "" }],
  ["an empty list", [], { arrayValue: [] }],
  ["a list with a hole", [1, undefined, null, "x"], { arrayValue: [int("1"), {}, {}, text("x")] }],
  [
    "lists in lists",
    [[], [[true]]],
    { arrayValue: [{ arrayValue: [] }, { arrayValue: [{ arrayValue: [{ boolValue: true }] }] }] },
  ],
  ["an empty object", {}, { kvlistValue: {} }],
  [
    "an object",
    { a: 1, "": [0.5], u: undefined },
    { kvlistValue: { a: int("1"), "": { arrayValue: [{ doubleValue: 0.5 }] } } },
  ],
])("%s as an attribute", async (_, value, expected) => {
  expect(await encodedAttributes({ key: value })).toEqual({ key: expected });
});

/** What the specification makes of a value: https://opentelemetry.io/docs/specs/otel/common/attribute-type-mapping/ */
function expectedValue(value: unknown): DecodedValue {
  if (typeof value === "string") return { stringValue: value.toWellFormed() };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") {
    const isInt = Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63;
    return isInt ? { intValue: BigInt(value).toString() } : { doubleValue: value };
  }
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return { arrayValue: value.map(expectedValue) };
  if (typeof value !== "object" || value === null) return {};
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return { kvlistValue: Object.fromEntries(entries.map(([key, item]) => [key.toWellFormed(), expectedValue(item)])) };
}

/** Two keys that differ in broken letters only would be one. */
const names = string({ minLength: 1, maxLength: 300 });

test("an upstream decoder reads any attributes as the specification maps them", async () => {
  await assert(
    asyncProperty(dictionary(names, values, { maxKeys: 20, noNullPrototype: true }), async (attributes) => {
      const decoded = await encodedAttributes(attributes);
      for (const [key, value] of Object.entries(decoded)) expect(value).toEqual(expectedValue(attributes[key]));
    }),
    { numRuns: 500 },
  );
});

test("texts and numbers of all sizes side by side", async () => {
  await assert(
    asyncProperty(array(texts, { maxLength: 30 }), array(numbers, { maxLength: 30 }), async (strings, counts) => {
      const attributes = Object.fromEntries([...strings, ...counts].map((value, index) => [`key${index}`, value]));
      const expected = Object.entries(attributes).map(([key, value]) => [key, expectedValue(value)]);
      expect(await encodedAttributes(attributes)).toEqual(Object.fromEntries(expected));
    }),
    { numRuns: 300 },
  );
});

describe("sizes", () => {
  // The first buffer of an encoder has 16 KB; lengths take two bytes up to there, three up to 2 MB, then four.
  test.each([127, 128, 16_000, 16_383, 16_384, 16_385, 100_000, 2 * MB - 1, 2 * MB, 2 * MB + 1, 5 * MB])(
    "a span of about %i bytes among others",
    async (size) => {
      const content = "0123456789abcdef".repeat(Math.ceil(size / 16)).slice(0, size);
      const spans = await encoded(
        (provider) => {
          const tracer = provider.getTracer("t");
          tracer.startSpan("before").end();
          const span = tracer.startSpan("large", { attributes: { content, nested: { content: [content] } } });
          span.addEvent("event", { content });
          span.addLink({
            context: { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 },
            attributes: { content },
          });
          span.setStatus({ code: SpanStatusCode.ERROR, message: content });
          span.end();
          tracer.startSpan("after").end();
        },
        { spanLimits: NO_LIMIT },
      );
      expect(spans.map(({ name }) => name)).toEqual(["before", "large", "after"]);
      expect(spans[1]).toMatchObject({
        attributes: {
          content: text(content),
          nested: { kvlistValue: { content: { arrayValue: [text(content)] } } },
        },
        events: [{ attributes: { content: text(content) } }],
        links: [{ attributes: { content: text(content) } }],
        status: { message: content },
      });
    },
  );

  test("everything that is written when the first buffer is just full", async () => {
    const list = [true, -1.5, -7, null, new Uint8Array([1, 2, 3]), { key: "ü" }];
    for (let size = 15_900; size < 16_400; size++) {
      const [span] = await encoded((provider) => {
        const span = provider.getTracer("t").startSpan("s", { attributes: { content: "x".repeat(size), list } });
        span.addEvent("event", { last: "ü" }, [1, 2]).setStatus({ code: SpanStatusCode.ERROR, message: "ü" }).end();
      });
      expect(span).toMatchObject({
        attributes: { content: text("x".repeat(size)), list: expectedValue(list) },
        events: [{ name: "event", timeUnixNano: "1000000002", attributes: { last: text("ü") } }],
        status: { code: 2, message: "ü" },
        flags: 0x101,
      });
    }
  });

  test("10,000 attributes, events and links of one span", async () => {
    const attributes = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key ${index}`, index]));
    const [span] = await encoded(
      (provider) => {
        const span = provider.getTracer("t").startSpan("s", { attributes });
        for (let i = 0; i < 10_000; i++) {
          span.addEvent(`event ${i}`);
          span.addLink({
            context: { traceId: "1".repeat(32), spanId: i.toString(16).padStart(16, "f"), traceFlags: 0 },
          });
        }
        span.end();
      },
      { spanLimits: NO_LIMIT },
    );
    expect(Object.keys(span?.attributes ?? {})).toEqual(Object.keys(attributes));
    expect(span?.attributes["key 9999"]).toEqual(int("9999"));
    expect(span?.events.at(-1)?.name).toBe("event 9999");
    expect(span?.links.at(-1)?.spanId).toBe("ffffffffffff270f");
    expect([span?.events.length, span?.links.length]).toEqual([10_000, 10_000]);
  });

  test("one span too many for each limit", async () => {
    const attributes = Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`key ${index}`, index]));
    const link = { context: { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 0 }, attributes };
    const [span] = await encoded((provider) => {
      const span = provider.getTracer("t").startSpan("s", { attributes });
      for (let i = 0; i < 129; i++) span.addEvent(`event ${i}`, attributes).addLink(link);
      span.end();
    });
    expect(Object.keys(span?.attributes ?? {})).toHaveLength(128);
    expect(span).toMatchObject({ droppedAttributesCount: 1, droppedEventsCount: 1, droppedLinksCount: 1 });
    expect(span?.events[0]).toMatchObject({ name: "event 1", droppedAttributesCount: 1 });
    expect(span?.links.at(-1)?.droppedAttributesCount).toBe(1);
  });

  test("nothing in anything", async () => {
    const [span] = await encoded((provider) => {
      const span = provider.getTracer("").startSpan("", { attributes: {}, links: [] });
      span.addEvent("", {});
      span.setStatus({ code: SpanStatusCode.ERROR, message: "" });
      span.end();
    });
    expect(span).toMatchObject({
      name: "",
      kind: 1,
      attributes: {},
      events: [{ name: "", attributes: {}, droppedAttributesCount: 0 }],
      status: { code: 2, message: "" },
      scope: { name: "", version: "", schemaUrl: "" },
      resource: { attributes: {}, schemaUrl: "" },
    });
  });
});

describe("what TypeScript forbids", () => {
  test.each([-1, 5, 1.5, 1e300, Number.NaN, Infinity, "2", {}])("kind %s is unspecified", async (kind) => {
    const [span] = await encoded((provider) =>
      provider
        .getTracer("t")
        .startSpan("s", { kind: kind as SpanKind })
        .end(),
    );
    // The API's numbers begin at 0 for internal, OTLP's at 1; "2" is the property name of a client.
    expect(span?.kind).toBe(kind === "2" ? 3 : 0);
  });

  test.each([-1, 3, 1e300, Number.NaN, Infinity, "2"])("status code %s is none", async (code) => {
    const [span] = await encoded((provider) => {
      const span = provider.getTracer("t").startSpan("s");
      span.setStatus({ code: code as SpanStatusCode }).end();
    });
    expect(span?.status).toEqual({ code: 0, message: "" });
  });

  test.each([Number.NaN, Infinity, -Infinity, new Date(Number.NaN), [Number.NaN, 0], [0, Infinity], "1970"])(
    "%s is no time, so it is now",
    async (time) => {
      const before = BigInt(Date.now() - 1000) * 1_000_000n;
      const [span] = await encoded((provider) => {
        const given = time as number;
        provider.getTracer("t").startSpan("s", { startTime: given }).addEvent("e", {}, given).end(given);
      });
      const times = [span?.startTimeUnixNano, span?.endTimeUnixNano, span?.events[0]?.timeUnixNano];
      for (const nanos of times) expect(BigInt(nanos ?? 0)).toBeGreaterThan(before);
    },
  );

  test.each([undefined, null, 7, Symbol("s"), { toString: () => "mine" }])("%s as a name", async (name) => {
    const given = name as string;
    const [span] = await encoded((provider) => provider.getTracer(given, given).startSpan(given).addEvent(given).end());
    expect([span?.name, span?.events[0]?.name]).toEqual([String(name), String(name)]);
  });

  test.each([null, {}, { context: null }, { context: { traceId: "x", spanId: "y" } }])(
    "the link %j leads nowhere, and the span is delivered",
    async (link) => {
      const [span] = await encoded((provider) => {
        const given = link as unknown as { context: { traceId: string; spanId: string; traceFlags: number } };
        provider
          .getTracer("t")
          .startSpan("s", { links: [given] })
          .addLink(given)
          .end();
      });
      expect(span?.links.map(({ traceId }) => traceId)).toEqual(["0".repeat(32), "0".repeat(32)]);
    },
  );

  test("__proto__ is a name like any other in an object", async () => {
    const value = JSON.parse('{ "__proto__": { "a": 1 } }') as unknown;
    const { key } = await encodedAttributes({ key: value });
    expect(Object.keys((key?.["kvlistValue"] ?? {}) as object)).toEqual(["__proto__"]);
  });
});

test("times before the process began, in ms of its clock", async () => {
  const [span] = await encoded((provider) =>
    provider.getTracer("t").startSpan("s", { startTime: -5_000 }).end(-4_999.5),
  );
  expect(Number(BigInt(span?.startTimeUnixNano ?? 0) / 1000n) / 1000).toBeCloseTo(performance.timeOrigin - 5_000, 1);
  expect(BigInt(span?.endTimeUnixNano ?? 0) - BigInt(span?.startTimeUnixNano ?? 0)).toBe(500_000n);
});

test("a resource and a scope with everything", async () => {
  const [span] = await encoded(
    (provider) => provider.getTracer("läb", "1.2", { schemaUrl: "https://scope" }).startSpan("s").end(),
    {
      resource: resourceFromAttributes(
        { "service.name": "shöp", list: ["a", "b"], none: 0 },
        { schemaUrl: "https://resource" },
      ),
    },
  );
  expect(span?.scope).toEqual({ name: "läb", version: "1.2", schemaUrl: "https://scope" });
  expect(span?.resource).toEqual({
    attributes: { "service.name": text("shöp"), list: { arrayValue: [text("a"), text("b")] }, none: int("0") },
    schemaUrl: "https://resource",
  });
});

describe("through the receiver", () => {
  let receiver: OtlpReceiver;
  afterEach(() => receiver.close());

  test("what was recorded arrives", async () => {
    receiver = await startOtlpReceiver();
    const provider = createTracerProvider({
      resource: resourceFromAttributes({ "service.name": "shop" }),
      export: new SpanExport({
        async deliver(request) {
          const headers = { "content-type": "application/x-protobuf" };
          const { ok } = await fetch(`${receiver.url}/v1/traces`, {
            method: "POST",
            headers,
            body: Buffer.from(request),
          });
          return { ok };
        },
      }),
    });
    const remote = {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: 1,
      isRemote: true,
    };
    const state = createTraceState("vendor=1");
    const span = provider.getTracer("scope").startSpan(
      "wörk ✓",
      {
        kind: SpanKind.CLIENT,
        startTime: [1_700_000_000, 123_456_789],
        attributes: { text: "ü", yes: true, int: -7, big: 2 ** 40, half: 0.5, list: ["a", "b"], none: "", LONG },
        links: [{ context: remote, attributes: { l: 1 } }],
      },
      trace.setSpanContext(ROOT_CONTEXT, { ...remote, traceState: state }),
    );
    span.addEvent("event", { e: 2 });
    span.setStatus({ code: SpanStatusCode.ERROR, message: "bad" });
    span.end([1_700_000_001, 5]);
    await provider.forceFlush();
    const [received] = await receiver.waitForSpans((spans) => spans.length === 1);
    expect(received).toEqual({
      traceId: remote.traceId,
      spanId: span.spanContext().spanId,
      parentSpanId: remote.spanId,
      name: "wörk ✓",
      kind: "client",
      startNs: 1_700_000_000_123_456_789n,
      endNs: 1_700_000_001_000_000_005n,
      attributes: { text: "ü", yes: true, int: -7, big: 2 ** 40, half: 0.5, list: ["a", "b"], none: "", LONG },
      status: { code: "error", message: "bad" },
      events: [{ name: "event", attributes: { e: 2 } }],
      links: [{ traceId: remote.traceId, spanId: remote.spanId, attributes: { l: 1 } }],
      resource: { "service.name": "shop" },
      scope: "scope",
    });
  });
});
