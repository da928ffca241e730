import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  createNoopMeter,
  logs,
  metrics,
  ROOT_CONTEXT,
  SeverityNumber,
  type TextMapPropagator,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  AggregationType,
  InstrumentType,
  type MetricProducer,
  MetricReader,
} from "@opentelemetry/sdk-metrics";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import { counterOf, limitOf, setSay } from "@telltale/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type ForeignInstrumentation, type SdkOptions, type TelltaleOptions } from "../src/config/options.js";
import { makeHarmlessPropagator } from "../src/harmless-propagator.js";
import { createLoggerProvider } from "../src/logger-provider.js";
import { createMeterProvider } from "../src/meter-provider.js";
import { createPropagator } from "../src/propagator.js";
import { createResource } from "../src/resource.js";
import { readSpanLimits } from "../src/span-limits.js";
import { start } from "../src/start.js";
import { preferredTemporality } from "../src/temporality.js";

const said: string[] = [];
setSay((_, line) => said.push(line));
afterEach(() => {
  vi.unstubAllEnvs();
  said.length = 0;
});

const resource = resourceFromAttributes({ "service.name": "app" });

describe("OTEL_PROPAGATORS", () => {
  const spanContext = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: TraceFlags.SAMPLED };
  const parent = trace.setSpanContext(ROOT_CONTEXT, spanContext);
  const inject = (): string[] => {
    const carrier: Record<string, string> = {};
    createPropagator()?.inject(parent, carrier, { set: (to, name, value) => void (to[name] = value) });
    return Object.keys(carrier);
  };

  test.each<[names: string | undefined, headers: string[]]>([
    [undefined, ["traceparent"]],
    ["tracecontext", ["traceparent"]],
    ["baggage", []],
    ["b3", ["b3"]],
    ["b3multi,tracecontext", ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "traceparent"]],
    ["none", []],
    ["none,b3", []],
  ])("%s", (names, headers) => {
    vi.stubEnv("OTEL_PROPAGATORS", names);
    expect(inject().map((name) => name.toLowerCase())).toEqual(headers);
    expect(said).toEqual([]);
  });

  test("an unknown one is said, the others carry on", () => {
    vi.stubEnv("OTEL_PROPAGATORS", "tracecontext,pigeon");
    expect(inject()).toEqual(["traceparent"]);
    expect(said).toEqual([expect.stringMatching(/OTEL_PROPAGATORS: unknown propagator "pigeon"/)]);
  });
});

const failures = counterOf("telltale.instrumentation.errors", "telltale.part", "propagator");

test.each<[string, Partial<TextMapPropagator>, failuresOfOne: number]>([
  [
    "throws",
    {
      inject() {
        throw new Error("no");
      },
      extract() {
        throw new Error("no");
      },
      fields() {
        throw new Error("no");
      },
    },
    3,
  ],
  ["finds nothing", { inject() {}, extract: () => null as never, fields: () => [] }, 1],
])("with a propagator that %s a request goes on", (_, own, failuresOfOne) => {
  const before = failures.total;
  const propagator = makeHarmlessPropagator(own as TextMapPropagator);
  const parent = ROOT_CONTEXT.setValue(Symbol("one"), 1);
  propagator.inject(parent, {}, { set() {} });
  expect(propagator.extract(parent, {}, { get: () => undefined, keys: () => [] })).toBe(parent);
  expect(propagator.fields()).toEqual([]);
  expect(failures.total).toBe(before + failuresOfOne);
  expect(said.length).toBeLessThanOrEqual(1);
  for (const line of said) expect(line).toMatch(/^the propagator failed; the app is not affected: /);
});

test("limits of spans come from the environment, the specific ones first", () => {
  vi.stubEnv("OTEL_ATTRIBUTE_COUNT_LIMIT", "7");
  vi.stubEnv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "8");
  vi.stubEnv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "9");
  vi.stubEnv("OTEL_SPAN_EVENT_COUNT_LIMIT", "10");
  expect(readSpanLimits()).toEqual({ attributeCountLimit: 7, attributeValueLengthLimit: 9, eventCountLimit: 10 });
});

test("a limit that is no number counts as not set, and is said", () => {
  vi.stubEnv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "abc");
  vi.stubEnv("OTEL_ATTRIBUTE_COUNT_LIMIT", "5");
  vi.stubEnv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1");
  vi.stubEnv("OTEL_SPAN_EVENT_COUNT_LIMIT", "0");
  expect(readSpanLimits()).toEqual({ attributeCountLimit: 5, eventCountLimit: 0 });
  expect(said).toEqual([
    'OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be a number of at least 0, got "abc"; it counts as not set',
    'OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT must be a number of at least 1, got "-1"; it counts as not set',
  ]);
});

describe("the resource", () => {
  const config = { packageName: "from-package" };
  const attributesOf = (more: object = {}) => {
    const made = createResource({ ...config, ...more });
    // Nothing that anybody would have to wait for.
    expect(made.asyncAttributesPending ?? false).toBe(false);
    return made.attributes;
  };

  test("tells the service, the process, the host and the SDK, and no arguments of the command", () => {
    const attributes = attributesOf();
    expect(attributes).toMatchObject({
      "service.name": "from-package",
      "process.pid": process.pid,
      "process.runtime.name": "nodejs",
      "process.runtime.version": process.versions.node,
      "telemetry.sdk.language": "nodejs",
      "os.type": process.platform,
    });
    expect(attributes["host.name"]).toMatch(/./);
    expect(attributes["service.instance.id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(attributes).not.toHaveProperty("process.command_args");
    expect(attributesOf()["service.instance.id"]).toBe(attributes["service.instance.id"]);
  });

  test.each<[detectors: string, has: string[], hasNot: string[]]>([
    ["none", [], ["process.pid", "host.name", "os.type", "service.instance.id", "team"]],
    ["host,os", ["host.name", "os.type"], ["process.pid", "team"]],
    ["env", ["team"], ["process.pid", "host.name"]],
    ["process,pigeon", ["process.pid"], ["host.name"]],
  ])("OTEL_NODE_RESOURCE_DETECTORS=%s", (detectors, has, hasNot) => {
    vi.stubEnv("OTEL_NODE_RESOURCE_DETECTORS", detectors);
    vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "team=shop");
    const attributes = attributesOf();
    for (const name of has) expect(attributes).toHaveProperty([name]);
    for (const name of hasNot) expect(attributes).not.toHaveProperty([name]);
    expect(said.filter((line) => line.includes("unknown detector"))).toHaveLength(detectors.includes("pigeon") ? 1 : 0);
  });

  test.each<[what: string, more: object, expected: Record<string, unknown>]>([
    ["the configuration", { serviceName: "configured" }, { "service.name": "configured" }],
    ["its attributes", { resourceAttributes: { "host.name": "mine" } }, { "host.name": "mine" }],
    ["a resource of the app's own is the weakest", { sdk: { resource } }, { "service.name": "app" }],
    [
      "its detectors are in place of ours",
      { serviceName: "configured", sdk: { resourceDetectors: [{ detect: () => ({ attributes: { a: "b" } }) }] } },
      { "service.name": "from-package", a: "b", "process.pid": undefined },
    ],
    ["no detectors", { sdk: { autoDetectResources: false } }, { "process.pid": undefined }],
    ["its name is the strongest", { serviceName: "configured", sdk: { serviceName: "x" } }, { "service.name": "x" }],
  ])("%s", (_, more, expected) => {
    const attributes = attributesOf(more);
    for (const [name, value] of Object.entries(expected)) expect(attributes[name]).toEqual(value);
  });
});

class Reader extends MetricReader {
  shutdowns = 0;
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {
    this.shutdowns++;
  }
  async names(): Promise<string[]> {
    const { resourceMetrics } = await this.collect();
    expect(resourceMetrics.resource.attributes).toMatchObject({ "service.name": "app" });
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics.map((metric) => metric.descriptor.name));
  }
}

describe("the meter provider", () => {
  const producer: MetricProducer = {
    collect: async () => ({
      resourceMetrics: { resource, scopeMetrics: [{ scope: { name: "telltale" }, metrics: [gauge("ours")] }] },
      errors: [],
    }),
  };
  const gauge = (name: string) => ({
    descriptor: { name, description: "", unit: "", valueType: 0, type: InstrumentType.GAUGE, advice: {} },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: 2,
    dataPoints: [],
  });

  test("readers have our metrics before there is a meter, and the app's as well after", async () => {
    const readers = [new Reader({ metricProducers: [producer] }), new Reader()];
    const view = { instrumentName: "hidden", aggregation: { type: AggregationType.DROP } } as const;
    const provider = createMeterProvider(resource, readers, [view]);
    expect(await Promise.all(readers.map((reader) => reader.names()))).toEqual([["ours"], []]);
    const meter = provider.getMeter("app", "1.0");
    meter.createCounter("orders").add(3);
    meter.createCounter("hidden").add(1);
    expect(provider.getMeter("app", "1.0")).toBe(meter);
    expect(await Promise.all(readers.map((reader) => reader.names()))).toEqual([["orders", "ours"], ["orders"]]);
    await provider.forceFlush();
    await provider.shutdown();
    await provider.shutdown();
    expect(readers.map((reader) => reader.shutdowns)).toEqual([1, 1]);
    expect(() => provider.getMeter("late").createCounter("late").add(1)).not.toThrow();
  });

  test("readers are shut down where there never was a meter", async () => {
    const reader = new Reader();
    const provider = createMeterProvider(resource, [reader]);
    await provider.shutdown();
    expect(reader.shutdowns).toBe(1);
    expect(() => provider.getMeter("late").createCounter("late").add(1)).not.toThrow();
  });

  test("nothing that the app gives its meters throws, and what is right is counted all the same", async () => {
    const reader = new Reader();
    const provider = createMeterProvider(resource, [reader]);
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const throwing = {
      toString(): never {
        throw new Error("read");
      },
    };
    const unreadable = new Proxy({}, { get: throwing.toString, ownKeys: throwing.toString });
    for (const odd of [null, undefined, 1n, Symbol("s"), cycle, throwing, unreadable, () => 1] as never[]) {
      provider.getMeter(odd).createCounter("c").add(1);
      const meter = provider.getMeter("app", "1.0");
      meter.createCounter(odd).add(1);
      meter.createHistogram("h", odd).record(1);
      meter.createHistogram("b", { advice: { explicitBucketBoundaries: odd } }).record(1);
      for (const value of [odd, 1]) {
        meter.createCounter("orders").add(value as number, { id: odd });
        meter.createUpDownCounter("open").add(value as number, odd);
        meter.createHistogram("took").record(value as number, odd);
        meter.createGauge("level").record(value as number, odd);
      }
      meter.createObservableGauge("watched").addCallback(odd);
      meter.addBatchObservableCallback(odd, odd);
      meter.removeBatchObservableCallback(odd, odd);
    }
    provider.getMeter("app", "1.0").createCounter("right").add(2);
    const { resourceMetrics } = await reader.collect();
    const right = resourceMetrics.scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .find(({ descriptor }) => descriptor.name === "right");
    expect(right?.dataPoints[0]?.value).toBe(2);
  });

  test.each([undefined, null, Object.create(null), new Error("no")])(
    "a callback that throws or rejects with %o is an error of its own collection alone",
    async (thrown) => {
      const reader = new Reader();
      const meter = createMeterProvider(resource, [reader]).getMeter("app");
      meter.createCounter("orders").add(1);
      const gone = () => {
        throw new Error("removed");
      };
      const watched = meter.createObservableGauge("watched");
      watched.addCallback(gone);
      watched.removeCallback(gone);
      watched.addCallback(() => Promise.reject(thrown));
      watched.addCallback((result) => result.observe(7));
      meter.addBatchObservableCallback(() => {
        throw thrown;
      }, [watched]);
      const { resourceMetrics, errors } = await reader.collect();
      const values = resourceMetrics.scopeMetrics[0]?.metrics.map(({ dataPoints }) => dataPoints[0]?.value);
      expect(values).toEqual([1, 7]);
      expect(errors).toHaveLength(2);
      for (const error of errors) expect(error).toBeInstanceOf(Error);
    },
  );

  test("after the end a meter is the API's own that measures nothing, as it was", async () => {
    const { createCounter } = createNoopMeter();
    const provider = createMeterProvider(resource, [new Reader()]);
    provider.getMeter("app").createCounter("orders").add(1);
    await provider.shutdown();
    for (const name of ["app", "late", "later"]) expect(provider.getMeter(name)).toBe(createNoopMeter());
    expect(createNoopMeter().createCounter).toBe(createCounter);
  });

  test("names that are made up take bounded memory, and are counted", async () => {
    const refused = (what: string) => limitOf(what).total;
    const before = [refused("meters"), refused("instruments")];
    const reader = new Reader();
    const provider = createMeterProvider(resource, [reader]);
    for (let n = 0; n < 2_500; n++) provider.getMeter("app").createCounter(`orders.${n}`).add(1);
    for (let n = 0; n < 1_500; n++)
      provider
        .getMeter(`app.${n}`)
        .createObservableGauge("g")
        .addCallback(() => {});
    provider.getMeter("app").createCounter("orders.1999").add(4);
    const { resourceMetrics } = await reader.collect();
    const { metrics: counted = [] } = resourceMetrics.scopeMetrics[0] ?? {};
    expect(counted).toHaveLength(2_000);
    expect(counted.at(-1)?.dataPoints[0]?.value).toBe(5);
    // 999 of the others have room beside the first meter, and none of them for an instrument.
    expect([refused("meters"), refused("instruments")].map((now, i) => now - (before[i] ?? 0))).toEqual([
      501,
      500 + 999,
    ]);
  });

  test("a reader keeps its temporality", async () => {
    const reader = new Reader({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA });
    const counter = createMeterProvider(resource, [reader]).getMeter("app").createCounter("orders");
    const valueAfter = async (add: number) => {
      counter.add(add);
      const { resourceMetrics } = await reader.collect();
      return resourceMetrics.scopeMetrics[0]?.metrics[0]?.dataPoints[0]?.value;
    };
    expect(await valueAfter(3)).toBe(3);
    expect(await valueAfter(2)).toBe(2);
  });
});

// https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration
describe("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", () => {
  const { COUNTER, HISTOGRAM, OBSERVABLE_COUNTER, OBSERVABLE_UP_DOWN_COUNTER, UP_DOWN_COUNTER } = InstrumentType;
  const all = [COUNTER, OBSERVABLE_COUNTER, HISTOGRAM, UP_DOWN_COUNTER, OBSERVABLE_UP_DOWN_COUNTER];
  test.each<[preference: string | undefined, delta: InstrumentType[]]>([
    [undefined, []],
    ["cumulative", []],
    ["Delta", [COUNTER, OBSERVABLE_COUNTER, HISTOGRAM]],
    ["lowmemory", [COUNTER, HISTOGRAM]],
    ["pigeon", []],
  ])("%s", (preference, delta) => {
    vi.stubEnv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference);
    const select = preferredTemporality();
    expect(all.filter((type) => select(type) === AggregationTemporality.DELTA)).toEqual(delta);
    expect(said).toHaveLength(preference === "pigeon" ? 1 : 0);
  });
});

describe("logs", () => {
  test("are off unless asked for", () => {
    expect(createLoggerProvider(resource, undefined)).toBeUndefined();
    vi.stubEnv("OTEL_LOGS_EXPORTER", "otlp,none");
    expect(createLoggerProvider(resource, undefined)).toBeUndefined();
  });

  test.each(["http/protobuf", "http/json"])("go out over %s", async (protocol) => {
    const received: { path: string | undefined; type: string | undefined; body: string }[] = [];
    const server = createServer(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString("latin1");
      received.push({ path: request.url, type: request.headers["content-type"], body });
      response.end();
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    vi.stubEnv("OTEL_LOGS_EXPORTER", "otlp");
    vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    const provider = createLoggerProvider(resource, undefined);
    provider?.getLogger("app").emit({ severityNumber: SeverityNumber.INFO, body: "a line of the app" });
    await provider?.shutdown();
    server.close();
    server.closeAllConnections();
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({
      path: "/v1/logs",
      type: protocol === "http/json" ? "application/json" : "application/x-protobuf",
    });
    expect(received[0]?.body).toContain("a line of the app");
  });

  test("an unknown exporter is said", () => {
    vi.stubEnv("OTEL_LOGS_EXPORTER", "pigeon");
    createLoggerProvider(resource, undefined);
    expect(said).toEqual([expect.stringMatching(/OTEL_LOGS_EXPORTER: unknown exporter "pigeon"/)]);
  });
});

describe.each(["telltale", "sdk"] as const)("start() with parts of the app's own, engine %s", (engine) => {
  class Spans implements SpanProcessor {
    readonly ended: string[] = [];
    onStart(): void {}
    onEnd(span: ReadableSpan): void {
      this.ended.push(span.name);
    }
    async forceFlush(): Promise<void> {}
    async shutdown(): Promise<void> {}
  }
  const options = (sdk: SdkOptions): TelltaleOptions => ({
    engine,
    log: "silent",
    traces: { exporters: ["none"] },
    metrics: { exporters: ["none"] },
    sdk,
  });

  test("gives them the providers, and takes them away; and starts again", async () => {
    for (let n = 0; n < 2; n++) {
      const calls: string[] = [];
      const foreign: ForeignInstrumentation = {
        enable: () => calls.push("enable"),
        disable: () => calls.push("disable"),
        setTracerProvider: (provider) => calls.push(typeof (provider as { getTracer?: unknown }).getTracer),
        setMeterProvider: (provider) => calls.push(typeof (provider as { getMeter?: unknown }).getMeter),
      };
      const spans = new Spans();
      const reader = new Reader();
      const telltale = start(
        options({
          spanProcessors: [spans],
          metricReaders: [reader],
          instrumentations: [[foreign]],
          serviceName: "app",
        }),
      );
      trace.getTracer("app").startSpan("work").end();
      metrics.getMeter("app").createCounter("orders").add(1);
      expect(await reader.names()).toEqual(["orders"]);
      await telltale.shutdown();
      trace.getTracer("app").startSpan("too late").end();
      expect(spans.ended).toEqual(["work"]);
      expect(calls).toEqual(["function", "function", "enable", "disable"]);
      expect(reader.shutdowns).toBe(1);
    }
  });

  test("log records reach the app's processor", async () => {
    const bodies: unknown[] = [];
    const processor = {
      onEmit: (record: { body?: unknown }) => void bodies.push(record.body),
      forceFlush: async () => {},
      shutdown: async () => {},
    };
    const telltale = start(options({ logRecordProcessors: [processor] }));
    logs.getLogger("app").emit({ body: "a line" });
    await telltale.shutdown();
    expect(bodies).toEqual(["a line"]);
  });
});
