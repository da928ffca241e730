import { context, createTraceState } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  type IdGenerator,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  type SpanLimits,
  type SpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { type Arbitrary, assert, asyncProperty, constantFrom, oneof, record } from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSampler, createTracerProvider, type SamplerName, SpanExport } from "../src/index.js";
import { type Call, calls, performCalls, type Run } from "./api-calls.js";
import { type DecodedSpan, decodeSpans } from "./otlp-decoder.js";
import { SAMPLER_NAMES, sdkSampler } from "./sdk-samplers.js";

const resource = resourceFromAttributes(
  { "service.name": "shop", "process.pid": 7, tags: ["a", "b"] },
  { schemaUrl: "https://opentelemetry.io/schemas/1.37.0" },
);

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => context.disable());

/** Everything that a provider is made with; both engines get equal ones of their own. */
interface Setup {
  readonly sampler: (engine: "sdk" | "telltale", heard: string[]) => Sampler;
  readonly ids: (() => IdGenerator) | undefined;
  readonly limits: SpanLimits;
}

/** Decides by the name, and says what it was asked. */
function createNameSampler(heard: string[]): Sampler {
  return {
    shouldSample(_context, _traceId, name, kind, attributes, links) {
      const attributeCounts = links.map((link) => Object.keys(link.attributes ?? {}).length);
      heard.push(`${name} ${kind} ${Object.keys(attributes).sort().join()} ${attributeCounts.join()}`);
      const hash = name.length + (name.charCodeAt(0) || 0);
      return {
        decision:
          [SamplingDecision.NOT_RECORD, SamplingDecision.RECORD, SamplingDecision.RECORD_AND_SAMPLED][hash % 3] ?? 0,
        ...(hash % 2 === 0 && { attributes: { "sampler.hash": hash, a: "the sampler's", "": 1 } }),
        ...(hash % 5 === 0 && { traceState: createTraceState(`sampler=${hash % 7}`) }),
      };
    },
  };
}

/** The same ids for the same calls, spread over all bits, so that ratio samplers decide alike. */
function createCountingIds(): IdGenerator {
  let count = 0;
  const next = () => (BigInt(++count) * 0x9e37_79b9_7f4a_7c15n) & 0xffff_ffff_ffff_ffffn;
  const hex = () => next().toString(16).padStart(16, "0");
  return { generateTraceId: () => hex() + hex(), generateSpanId: hex };
}

const limit = constantFrom(0, 1, 2, 5, 128, Infinity);
const limits: Arbitrary<SpanLimits> = record(
  {
    attributeCountLimit: limit,
    attributeValueLengthLimit: constantFrom(1, 3, 39, 5_000, Infinity),
    eventCountLimit: limit,
    linkCountLimit: limit,
    attributePerEventCountLimit: limit,
    attributePerLinkCountLimit: limit,
  },
  { requiredKeys: [] },
);

function samplerOf(engine: "sdk" | "telltale", name: SamplerName, ratio: number): Sampler {
  return engine === "sdk" ? sdkSampler(name, ratio) : createSampler(name, ratio);
}

const setups: Arbitrary<Setup> = record({
  sampler: oneof(
    record({ name: constantFrom(...SAMPLER_NAMES), ratio: constantFrom(0, 0.3, 0.5, 1) }).map(
      ({ name, ratio }): Setup["sampler"] =>
        (engine) =>
          samplerOf(engine, name, ratio),
    ),
    constantFrom<Setup["sampler"]>((_engine, heard) => createNameSampler(heard)),
  ),
  ids: constantFrom<Setup["ids"]>(createCountingIds),
  limits,
});

const PLAIN_NAMES = ["always_on", "always_off", "parentbased_always_on", "parentbased_always_off"] as const;

/** Without ids of its own the engine takes another way; the samplers are those that do not look at ids. */
const setupsWithRandomIds: Arbitrary<Setup> = record({
  sampler: oneof(
    constantFrom(...PLAIN_NAMES).map(
      (name): Setup["sampler"] =>
        (engine) =>
          samplerOf(engine, name, 1),
    ),
    constantFrom<Setup["sampler"]>((_engine, heard) => createNameSampler(heard)),
  ),
  ids: constantFrom(undefined),
  limits,
});

class CollectingProcessor implements SpanProcessor {
  readonly ended: ReadableSpan[] = [];
  readonly heard: string[] = [];

  onStart(span: ReadableSpan): void {
    this.heard.push(`start ${span.name} ${span.ended} ${span.parentSpanContext?.isRemote ?? false}`);
  }
  onEnding(span: ReadableSpan): void {
    this.heard.push(`ending ${span.name} ${span.ended} ${span.endTime[0] > 0}`);
  }
  onEnd(span: ReadableSpan): void {
    this.heard.push(`end ${span.name} ${span.ended}`);
    this.ended.push(span);
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}

  get exported(): DecodedSpan[] {
    const sampled = this.ended.filter((span) => (span.spanContext().traceFlags & 1) === 1);
    return decodeSpans(ProtobufTraceSerializer.serializeRequest(sampled) ?? new Uint8Array());
  }
}

interface Outcome {
  readonly notes: readonly string[];
  readonly spans: readonly unknown[];
  readonly heard: readonly string[];
}

function runSdk(setup: Setup, sequence: readonly Call[]): Outcome {
  const processor = new CollectingProcessor();
  const heard: string[] = [];
  const provider = new TracerProvider({
    resource,
    sampler: setup.sampler("sdk", heard),
    spanLimits: setup.limits,
    ...(setup.ids && { idGenerator: setup.ids() }),
    spanProcessors: [processor],
  });
  const run = performCalls(sequence, provider);
  return { notes: run.notes, spans: comparable(processor.exported, run), heard: [...heard, ...processor.heard] };
}

async function runEngine(setup: Setup, sequence: readonly Call[], processor?: CollectingProcessor): Promise<Outcome> {
  const requests: Uint8Array[] = [];
  const heard: string[] = [];
  const provider = createTracerProvider({
    resource,
    sampler: setup.sampler("telltale", heard),
    spanLimits: setup.limits,
    idGenerator: setup.ids?.(),
    spanProcessors: processor ? [processor] : [],
    export: new SpanExport({
      async deliver(request) {
        requests.push(request);
        return { ok: true };
      },
    }),
  });
  const run = performCalls(sequence, provider);
  await provider.forceFlush();
  const spans = comparable(requests.flatMap(decodeSpans), run);
  if (processor !== undefined) {
    expect(comparable(processor.exported, run)).toEqual(spans);
    heard.push(...processor.heard);
  }
  return { notes: run.notes, spans, heard };
}

const HOUR_NS = 3_600_000_000_000n;

/** Spans in the order in which they were started, with positions for ids, and one word for all times that the clock gave. */
function comparable(spans: readonly DecodedSpan[], run: Run): unknown[] {
  const order = new Map<string, number>();
  const traces = new Map<string, string>();
  for (const [index, span] of run.spans.entries()) {
    const { spanId, traceId } = span.spanContext();
    order.set(spanId, index);
    if (!traces.has(traceId)) traces.set(traceId, `trace of span ${index}`);
  }
  const now = BigInt(Date.now()) * 1_000_000n;
  const time = (nanos: string) => (BigInt(nanos) > now - HOUR_NS && BigInt(nanos) < now + HOUR_NS ? "now" : nanos);
  const place = (span: DecodedSpan) => {
    expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
    return {
      ...span,
      spanId: order.get(span.spanId),
      parentSpanId: order.get(span.parentSpanId) ?? span.parentSpanId,
      traceId: traces.get(span.traceId),
      startTimeUnixNano: time(span.startTimeUnixNano),
      endTimeUnixNano: time(span.endTimeUnixNano),
      events: span.events.map((event) => Object.assign(event, { timeUnixNano: time(event.timeUnixNano) })),
    };
  };
  return spans.toSorted((a, b) => (order.get(a.spanId) ?? -1) - (order.get(b.spanId) ?? -1)).map(place);
}

test.each([
  ["ids of a generator", setups],
  ["random ids", setupsWithRandomIds],
])(
  "the same calls make the same spans as in the SDK, with %s",
  async (_, arbitrary) => {
    let spans = 0;
    await assert(
      asyncProperty(arbitrary, calls, async (setup, sequence) => {
        const sdk = runSdk(setup, sequence);
        spans += sdk.spans.length;
        expect(await runEngine(setup, sequence, new CollectingProcessor())).toEqual(sdk);
        const { notes, spans: exported } = await runEngine(setup, sequence);
        expect(notes).toEqual(sdk.notes);
        expect(exported).toEqual(sdk.spans);
      }),
      { numRuns: 500 },
    );
    expect(spans).toBeGreaterThan(500);
  },
  120_000,
);
