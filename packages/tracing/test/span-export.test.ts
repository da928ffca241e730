import { execFile } from "node:child_process";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createTraceState, ROOT_CONTEXT, type Tracer, type TraceState, trace } from "@opentelemetry/api";
import { emptyResource, type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  addSpanListener,
  annotateOperation,
  type DatabaseTemplate,
  endOperation,
  failOperation,
  selfCounters,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { getRequest } from "@telltale/test/requests";
import { waitFor } from "@telltale/testkit";
import { array, assert, asyncProperty, constantFrom, nat, oneof, record } from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { EngineSpan } from "../src/span.js";
import { createTracerProvider, type SpanDelivery, SpanExport, type SpanExportOptions } from "../src/index.js";
import { type DecodedSpan, decodeSpans } from "./otlp-decoder.js";

const OUTCOMES = ["exported", "dropped", "rejected"] as const;
type Counts = Record<(typeof OUTCOMES)[number], number>;

function readCounts(): Counts {
  const counts: Counts = { exported: 0, dropped: 0, rejected: 0 };
  for (const { metric, value, total } of selfCounters()) {
    if (metric === "telltale.spans" && value in counts) counts[value as keyof Counts] = total;
  }
  return counts;
}

/** What was counted since. */
function countFrom(before: Counts): Counts {
  const now = readCounts();
  return {
    exported: now.exported - before.exported,
    dropped: now.dropped - before.dropped,
    rejected: now.rejected - before.rejected,
  };
}

const OK: SpanDelivery = { ok: true };

/** An export of its own, with a tracer; what is delivered is decoded. */
function setUp(
  options: Partial<SpanExportOptions> = {},
  answer: (spans: readonly DecodedSpan[]) => Promise<SpanDelivery> = async () => OK,
  resource: Resource = emptyResource(),
) {
  const batches: DecodedSpan[][] = [];
  const sizes: number[] = [];
  const spanExport = new SpanExport({
    deliver(request) {
      const spans = decodeSpans(request);
      batches.push(spans);
      sizes.push(request.length);
      return answer(spans);
    },
    ...options,
  });
  const provider = createTracerProvider({ resource, export: spanExport });
  const tracer = provider.getTracer("t");
  const end = (count: number, prefix = "s", attributes = {}) => {
    for (let i = 0; i < count; i++) tracer.startSpan(`${prefix}${i}`, { attributes }, ROOT_CONTEXT).end();
  };
  return { batches, sizes, spanExport, provider, tracer, end, before: readCounts() };
}

/** A call as an instrumentation reports it, of a shape of its own. */
function startCall(querySummary: string, parameters?: unknown, parent = ROOT_CONTEXT) {
  const template: DatabaseTemplate = {
    system: "postgresql",
    namespace: undefined,
    operationName: undefined,
    collection: undefined,
    querySummary,
    queryText: undefined,
    fingerprint: querySummary,
    effect: "read",
    serverAddress: undefined,
    serverPort: undefined,
    poolName: undefined,
    slots: [],
  };
  return startDatabaseOperation(template, "SELECT", parameters, parent);
}

const names = (spans: readonly DecodedSpan[] = []) => spans.map(({ name }) => name);

describe("bounds", () => {
  test("a full batch goes out at once, the rest after the delay", async () => {
    const { batches, end, spanExport } = setUp({ maxExportBatchSize: 10, scheduledDelayMs: 1_000 });
    const startMs = performance.now();
    end(25);
    await waitFor(
      () => batches.length === 2,
      () => "two batches",
    );
    expect(performance.now() - startMs).toBeLessThan(900);
    expect(spanExport.size).toBe(5);
    await waitFor(
      () => batches.length === 3,
      () => "the third batch",
    );
    expect(performance.now() - startMs).toBeGreaterThan(900);
    expect(batches.map(({ length }) => length)).toEqual([10, 10, 5]);
    expect(spanExport.size).toBe(0);
  });

  test("bytes fill a batch, and a span that is larger goes alone", async () => {
    const { batches, sizes, end, spanExport } = setUp({ maxBatchBytes: 10_000 });
    end(25, "s", { content: "x".repeat(1_000) });
    end(1, "large", { content: "x".repeat(50_000) });
    end(1, "last");
    await spanExport.forceFlush();
    // Nine spans of about 1,090 bytes.
    expect(batches.map(({ length }) => length)).toEqual([9, 9, 7, 1, 1]);
    expect(sizes[0]).toBeGreaterThan(9_000);
    expect(sizes[0]).toBeLessThan(10_000);
  });

  test("while nobody answers the oldest make room, and are counted", async () => {
    let answer: (delivery: SpanDelivery) => void = () => {};
    const { batches, end, spanExport, before } = setUp(
      { maxQueueSize: 30, maxExportBatchSize: 10 },
      () => new Promise((resolve) => (answer = resolve)),
    );
    end(10, "first");
    await waitFor(
      () => batches.length === 1,
      () => "the first batch",
    );
    end(100);
    expect(spanExport.size).toBe(40);
    expect(countFrom(before)).toEqual({ exported: 0, dropped: 70, rejected: 0 });
    answer(OK);
    const flushed = spanExport.forceFlush();
    for (let left = 3; left > 0; left--) {
      const seen = batches.length;
      await waitFor(
        () => batches.length > seen || spanExport.size === 0,
        () => "the next batch",
      );
      answer(OK);
    }
    await flushed;
    expect(names(batches.flat()).slice(10)).toEqual(Array.from({ length: 30 }, (_, index) => `s${70 + index}`));
    expect(countFrom(before)).toEqual({ exported: 40, dropped: 70, rejected: 0 });
  });

  test("bytes that wait are bounded, also when the queue is smaller than a batch", async () => {
    const { end, spanExport, before } = setUp(
      { maxQueueBytes: 100_000, maxBatchBytes: 1_000_000 },
      () => new Promise(() => {}),
    );
    end(1_000, "s", { content: "x".repeat(1_000) });
    expect(spanExport.size).toBeLessThan(100);
    expect(spanExport.size + countFrom(before).dropped).toBe(1_000);
    end(1, "larger than the queue", { content: "x".repeat(200_000) });
    expect(spanExport.size + countFrom(before).dropped).toBe(1_001);
  });

  test("scopes that are used no more hold nothing", async () => {
    const { provider, spanExport } = setUp();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 50; i++) provider.getTracer(`scope ${round} ${i}`).startSpan("s").end();
      await spanExport.forceFlush();
    }
    provider.getTracer("the last one").startSpan("s").end();
    await spanExport.forceFlush();
    expect((spanExport as unknown as { encoders: Map<unknown, unknown> }).encoders.size).toBe(1);
  });
});

test("a span that ends where the stack is full costs no other span", async () => {
  const program = fileURLToPath(new URL("./fixtures/full-stack.js", import.meta.url));
  const options = { timeout: 60_000, maxBuffer: 2 ** 30 };
  const { stdout } = await promisify(execFile)(process.execPath, [program], options);
  const runs = stdout.trim().split("\n");
  expect(runs).toHaveLength(40);
  for (const run of runs) {
    const delivered = run.split(" ").flatMap((request) => names(decodeSpans(Buffer.from(request, "base64"))));
    expect(delivered.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "other"));
    expect(new Set(delivered.slice(10))).toEqual(new Set(["walk"]));
  }
}, 90_000);

/** Ends the span `outer`, whose trace state takes a step when it is written. */
async function whileEncoding(tracer: Tracer, step: () => Promise<void>): Promise<void> {
  let taken: Promise<void> | undefined;
  const traceState: TraceState = Object.assign(createTraceState("a=b"), {
    serialize() {
      taken ??= step();
      return "a=b";
    },
  });
  const remote = { traceId: "1".repeat(32), spanId: "1".repeat(16), traceFlags: 1, traceState };
  tracer.startSpan("outer", {}, trace.setSpanContext(ROOT_CONTEXT, remote)).end();
  expect(taken).toBeDefined();
  await taken;
}

test("a flush while a span is being encoded delivers whole ones", async () => {
  const { batches, end, tracer, spanExport } = setUp();
  end(3);
  await whileEncoding(tracer, () => spanExport.forceFlush());
  await spanExport.forceFlush();
  expect(names(batches.flat())).toEqual(["s0", "s1", "s2", "outer"]);
});

test("a shutdown while a span is being encoded loses none that it does not count", async () => {
  const { batches, end, tracer, spanExport, before } = setUp();
  end(3);
  await whileEncoding(tracer, () => spanExport.shutdown());
  expect(spanExport.size).toBe(0);
  const { exported, dropped } = countFrom(before);
  expect(exported).toBe(batches.flat().length);
  expect(exported + dropped).toBe(4);
});

test("of as many tracers as an app may make up, spans take little room while they wait", async () => {
  const { provider, spanExport } = setUp();
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 0; n < 2_000; n++) provider.getTracer(`t${n}`).startSpan("s", {}, ROOT_CONTEXT).end();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000);
  await spanExport.forceFlush();
});

describe("calls", () => {
  const undo: (() => void)[] = [];
  afterEach(() => undo.splice(0).forEach((step) => step()));
  const setUpCalls = (options: Partial<SpanExportOptions> = {}) => {
    const all = setUp(options);
    undo.push(addSpanListener(all.provider));
    const call = (count: number, prefix: string) => {
      for (let i = 0; i < count; i++) endOperation(startCall(`${prefix}${i}`));
    };
    return { ...all, call };
  };

  test("are encoded some at a time, and count as waiting until then", async () => {
    const { batches, call, end, spanExport } = setUpCalls();
    call(40, "a");
    end(1, "by hand");
    call(3, "b");
    expect(spanExport.size).toBe(44);
    await spanExport.forceFlush();
    const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
    // Those of a scope stand together.
    expect(names(batches[0])).toEqual([...numbered("a", 40), ...numbered("b", 3), "by hand0"]);
    expect(spanExport.size).toBe(0);
  });

  test("go out after the delay, however few they are", async () => {
    const { batches, call, spanExport } = setUpCalls({ scheduledDelayMs: 20 });
    call(2, "s");
    await waitFor(
      () => batches.length === 1,
      () => "a batch",
    );
    expect(names(batches[0])).toEqual(["s0", "s1"]);
    expect(spanExport.size).toBe(0);
  });

  test("fill batches and the queue exactly", () => {
    const { call, spanExport, before } = setUpCalls({
      maxQueueSize: 10,
      maxExportBatchSize: 4,
      deliver: () => new Promise(() => {}),
    });
    call(100, "s");
    expect(spanExport.size).toBe(8);
    expect(countFrom(before).dropped).toBe(92);
  });

  test("that end while others are encoded go out once, as those do", async () => {
    const { batches, call, spanExport } = setUpCalls();
    let more = 40;
    const traceState: TraceState = Object.assign(createTraceState("a=b"), {
      serialize() {
        const count = more;
        more = 0;
        call(count, "inner");
        return "a=b";
      },
    });
    const remote = { traceId: "1".repeat(32), spanId: "1".repeat(16), traceFlags: 1, traceState };
    endOperation(startCall("outer", undefined, trace.setSpanContext(ROOT_CONTEXT, remote)));
    await spanExport.forceFlush();
    await spanExport.forceFlush();
    const delivered = names(batches.flat());
    expect(delivered).toHaveLength(41);
    expect(new Set(delivered).size).toBe(41);
  });

  test("of one route are each described as they were, however they came in and were answered", async () => {
    const { batches, spanExport } = setUpCalls();
    const served = Array.from({ length: 300 }, (_, n) => ({
      method: n % 7 === 0 ? "HEAD" : "GET",
      serverAddress: `host${n % 3 === 0 ? n : 0}`,
      userAgent: `agent${n}`,
      clientAddress: `10.0.0.${n % 5}`,
      status: n % 11 === 0 ? 404 : 200,
    }));
    for (const { status, ...arrived } of served) {
      const operation = startHttpServerOperation(getRequest("/items/1", arrived), ROOT_CONTEXT);
      if (operation.request !== undefined) operation.request.route = "/items/:id";
      operation.statusCode = status;
      endOperation(operation);
    }
    await spanExport.forceFlush();
    const spans = batches.flat();
    expect(spans.map(({ name }) => name)).toEqual(served.map(({ method }) => `${method} /items/:id`));
    expect(spans.map(({ attributes }) => attributes)).toEqual(
      served.map(({ method, serverAddress, userAgent, clientAddress, status }) => ({
        "http.request.method": { stringValue: method },
        "url.scheme": { stringValue: "http" },
        "server.address": { stringValue: serverAddress },
        "network.protocol.version": { stringValue: "1.1" },
        "client.address": { stringValue: clientAddress },
        "user_agent.original": { stringValue: userAgent },
        "url.path": { stringValue: "/items/1" },
        "http.route": { stringValue: "/items/:id" },
        "http.response.status_code": { intValue: String(status) },
      })),
    );
  });

  test("that somebody looks at after their end are exported as those that nobody looks at", async () => {
    const { batches, spanExport } = setUpCalls();
    const end = () => {
      const operation = startCall("call");
      if (operation.kind === "database") operation.rows = 3;
      endOperation(operation);
      return operation.span as EngineSpan;
    };
    end();
    const seen = end().attributes;
    await spanExport.forceFlush();
    const [unread, read] = batches.flat();
    expect(unread?.attributes).toMatchObject({ "db.response.returned_rows": { intValue: "3" } });
    expect(read?.attributes).toEqual(unread?.attributes);
    expect(seen).toMatchObject({ "db.query.summary": "call", "db.response.returned_rows": 3 });
  });

  test("that wait are as they were when they ended", async () => {
    const { batches, spanExport } = setUpCalls();
    const call = startCall("call");
    annotateOperation(call, "early", true);
    endOperation(call);
    annotateOperation(call, "late", true);
    await spanExport.forceFlush();
    expect(JSON.stringify(batches)).toContain("early");
    expect(JSON.stringify(batches)).not.toContain("late");
  });

  test("that wait hold neither the values of a query nor what it failed with", () => {
    const { spanExport } = setUpCalls();
    const query = startCall("query", [Buffer.alloc(1_000)]);
    endOperation(query);
    expect(query.parameters).toBeUndefined();
    expect(query.text).toBeUndefined();
    const failing = startCall("failing");
    failOperation(failing, new Error("expected"));
    endOperation(failing);
    expect(spanExport["ended"]).toHaveLength(0);
    expect(spanExport.size).toBe(2);
  });
});

describe("deliveries", () => {
  test.each<[string, () => unknown, Partial<Counts>]>([
    ["succeeds", async () => OK, { exported: 5 }],
    ["succeeds in part", async () => ({ ok: true, rejected: 2 }), { exported: 3, rejected: 2 }],
    ["rejects more than there was", async () => ({ ok: true, rejected: 100 }), { rejected: 5 }],
    ["rejects no number", async () => ({ ok: true, rejected: Number.NaN }), { exported: 5 }],
    ["rejects less than nothing", async () => ({ ok: true, rejected: -3 }), { exported: 5 }],
    ["fails", async () => ({ ok: false }), { dropped: 5 }],
    ["fails after a part", async () => ({ ok: false, rejected: 2 }), { dropped: 5 }],
    [
      "throws",
      () => {
        throw new Error("at once");
      },
      { dropped: 5 },
    ],
    ["rejects its promise", () => Promise.reject(new Error("later")), { dropped: 5 }],
    ["returns nothing", () => undefined, { dropped: 5 }],
    ["resolves with nothing", async () => null, { dropped: 5 }],
  ])("one that %s", async (_, answer, counts) => {
    const { end, spanExport, before } = setUp({}, answer as () => Promise<SpanDelivery>);
    end(5);
    await spanExport.forceFlush();
    expect(countFrom(before)).toEqual({ exported: 0, dropped: 0, rejected: 0, ...counts });
    expect(spanExport.size).toBe(0);
    expect(spanExport.delivering).toBe(counts.dropped === undefined);
  });

  test("a collector that was away and comes back gets what has waited, quickly", async () => {
    let isAway = true;
    const { batches, end, spanExport, before } = setUp({ maxExportBatchSize: 10, scheduledDelayMs: 30 }, async () => ({
      ok: !isAway,
    }));
    end(50);
    await waitFor(
      () => spanExport.delivering === false,
      () => "a failure",
    );
    isAway = false;
    await waitFor(
      () => spanExport.size === 0,
      () => "the rest to be delivered",
    );
    // At most the first batch and one more were tried in vain.
    expect(countFrom(before).exported).toBeGreaterThanOrEqual(30);
    expect(batches).toHaveLength(5);
  });

  test("a flush gives up with the first batch that nobody takes; a shutdown drops the others", async () => {
    let tries = 0;
    const { end, spanExport, before } = setUp({ maxExportBatchSize: 10, scheduledDelayMs: 60_000 }, async () => {
      tries++;
      return { ok: false };
    });
    end(50);
    await spanExport.forceFlush();
    expect(tries).toBe(1);
    expect(spanExport.size).toBe(40);
    await spanExport.shutdown();
    expect(tries).toBe(2);
    expect(spanExport.size).toBe(0);
    expect(countFrom(before)).toEqual({ exported: 0, dropped: 50, rejected: 0 });
  });

  test("the bytes of a request stay until its delivery has settled, whatever ends meanwhile", async () => {
    const held: { early: DecodedSpan[]; late: DecodedSpan[] }[] = [];
    const spanExport = new SpanExport({
      async deliver(request) {
        const early = decodeSpans(request);
        await new Promise((resolve) => setTimeout(resolve, 5));
        held.push({ early, late: decodeSpans(request) });
        return OK;
      },
      maxBatchBytes: 40_000,
    });
    const tracer = createTracerProvider({ resource: emptyResource(), export: spanExport }).getTracer("t");
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 100; i++) tracer.startSpan(`${round}/${i}`, {}, ROOT_CONTEXT).end();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await spanExport.shutdown();
    for (const { early, late } of held) expect(late).toEqual(early);
    expect(new Set(held.flatMap(({ early }) => names(early))).size).toBe(3_000);
  });

  test("one that hangs and answers in the end goes on", async () => {
    const answers: ((delivery: SpanDelivery) => void)[] = [];
    const { batches, end, spanExport, before } = setUp(
      { maxExportBatchSize: 10, scheduledDelayMs: 20 },
      () => new Promise((resolve) => answers.push(resolve)),
    );
    end(10);
    await waitFor(
      () => batches.length === 1,
      () => "the first batch",
    );
    end(5);
    await after(60);
    expect([batches.length, spanExport.size]).toEqual([1, 15]);
    answers[0]?.(OK);
    await waitFor(
      () => batches.length === 2,
      () => "the second batch",
    );
    answers[1]?.(OK);
    await waitFor(
      () => spanExport.size === 0,
      () => "the end",
    );
    expect(countFrom(before)).toEqual({ exported: 15, dropped: 0, rejected: 0 });
  });
});

describe("flushing", () => {
  test("what ends while a flush delivers is delivered after the delay, by itself", async () => {
    let endMore = () => {};
    const { batches, end, spanExport } = setUp({ scheduledDelayMs: 20 }, async () => {
      endMore();
      return OK;
    });
    endMore = () => {
      endMore = () => {};
      end(1, "meanwhile");
    };
    end(1, "before");
    await spanExport.forceFlush();
    await waitFor(
      () => batches.length === 2,
      () => "the second batch",
    );
    expect(names(batches[1])).toEqual(["meanwhile0"]);
  });

  test("two flushes at a time both wait for all that had ended", async () => {
    const { batches, end, spanExport } = setUp({ maxExportBatchSize: 5 }, async () => {
      await after(5);
      return OK;
    });
    end(12, "a");
    const first = spanExport.forceFlush();
    end(1, "b");
    await Promise.all([
      first.then(() => expect(names(batches.flat()).filter((name) => name.startsWith("a"))).toHaveLength(12)),
      spanExport.forceFlush().then(() => expect(names(batches.flat())).toContain("b0")),
    ]);
    expect(spanExport.size).toBe(0);
  });

  test("a service that never rests does not hold a flush", async () => {
    let isBusy = true;
    const { end, spanExport } = setUp({ maxExportBatchSize: 5 }, async () => {
      if (isBusy) end(5, "more");
      return OK;
    });
    end(20);
    await spanExport.forceFlush();
    expect(spanExport.size).toBeGreaterThan(0);
    isBusy = false;
    await spanExport.forceFlush();
  });

  test("a shutdown delivers, and what ends afterwards is dropped", async () => {
    const { batches, end, spanExport, before } = setUp();
    end(3);
    await Promise.all([spanExport.shutdown(), spanExport.shutdown()]);
    expect(batches.map(({ length }) => length)).toEqual([3]);
    end(2);
    await spanExport.forceFlush();
    expect(countFrom(before)).toEqual({ exported: 3, dropped: 2, rejected: 0 });
  });

  test("a process that has spans to deliver ends all the same", async () => {
    const program = fileURLToPath(new URL("./fixtures/end-anyway.js", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 10_000 });
    expect(stdout).toBe("done\n");
  });
});

describe("resources", () => {
  test("attributes that are still on their way are waited for", async () => {
    let resolveHost: (name: string) => void = () => {};
    const host = new Promise<string>((resolve) => (resolveHost = resolve));
    const resource = resourceFromAttributes({ "service.name": "shop", "host.name": host });
    const { batches, end, spanExport } = setUp({}, undefined, resource);
    end(1);
    const flushed = spanExport.forceFlush();
    await after(20);
    expect(batches).toEqual([]);
    resolveHost("web-1");
    await flushed;
    expect(batches[0]?.[0]?.resource.attributes).toEqual({
      "service.name": { stringValue: "shop" },
      "host.name": { stringValue: "web-1" },
    });
  });

  test("attributes that do not come are left out", async () => {
    const resource = resourceFromAttributes({
      "service.name": "shop",
      "host.name": Promise.reject(new Error("unknown")),
    });
    const { batches, end, spanExport } = setUp({}, undefined, resource);
    end(1);
    await spanExport.forceFlush();
    expect(batches[0]?.[0]?.resource.attributes["service.name"]).toEqual({ stringValue: "shop" });
  });

  test("a resource that throws costs its batches and nothing else", async () => {
    const resource = { ...emptyResource(), waitForAsyncAttributes: () => Promise.reject(new Error("no")) };
    const { end, spanExport, before } = setUp({}, undefined, resource as Resource);
    end(2);
    await spanExport.forceFlush();
    expect(countFrom(before)).toEqual({ exported: 0, dropped: 2, rejected: 0 });
  });
});

describe("a span that cannot be encoded", () => {
  const throwing = (): never => {
    throw new Error("read");
  };
  const badState = { ...createTraceState("a=b"), serialize: throwing } as unknown as TraceState;
  const badParent = { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1, traceState: badState };

  test.each<[string, (tracer: ReturnType<typeof setUp>["tracer"]) => { end(): void }]>([
    ["trace state", (tracer) => tracer.startSpan("s", {}, trace.setSpanContext(ROOT_CONTEXT, badParent))],
    ["trace state of a link", (tracer) => tracer.startSpan("s", { links: [{ context: badParent }] })],
    ["name of an event", (tracer) => tracer.startSpan("s").addEvent({ toString: throwing } as unknown as string)],
  ])("because of its %s is dropped and counted, the batch and the app go on", async (_, start) => {
    const { batches, end, tracer, spanExport, before } = setUp();
    end(2, "before");
    start(tracer).end();
    end(2, "after");
    await spanExport.forceFlush();
    expect(batches.map(names)).toEqual([["before0", "before1", "after0", "after1"]]);
    expect(countFrom(before)).toEqual({ exported: 4, dropped: 1, rejected: 0 });
  });
});

describe("the clock", () => {
  afterEach(() => vi.restoreAllMocks());

  test("a span that took a minute does not move the others", async () => {
    const now = performance.now.bind(performance);
    const date = Date.now.bind(Date);
    let shiftMs = 60_000;
    vi.spyOn(performance, "now").mockImplementation(() => now() + shiftMs);
    vi.spyOn(Date, "now").mockImplementation(() => date() + shiftMs);
    const { batches, tracer, end, spanExport } = setUp();
    const long = tracer.startSpan("long");
    const startMs = Date.now();
    shiftMs += 60_000;
    long.end();
    end(1, "short");
    await spanExport.forceFlush();
    const sinceStartMs = (nanos = "0") => Number(BigInt(nanos) / 1_000_000n) - startMs;
    const [first, second] = batches.flat();
    expect(Math.abs(sinceStartMs(first?.startTimeUnixNano))).toBeLessThan(1_000);
    expect(Math.abs(sinceStartMs(first?.endTimeUnixNano) - 60_000)).toBeLessThan(1_000);
    expect(Math.abs(sinceStartMs(second?.startTimeUnixNano) - 60_000)).toBeLessThan(1_000);
  });

  test("a system clock that was set right is followed by the next batch", async () => {
    const now = performance.now.bind(performance);
    const date = Date.now.bind(Date);
    let shiftMs = 0;
    let setMs = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now() + shiftMs);
    vi.spyOn(Date, "now").mockImplementation(() => date() + shiftMs + setMs);
    const { batches, end, spanExport } = setUp();
    shiftMs = 300_000;
    setMs = 5_000;
    end(1);
    await spanExport.forceFlush();
    const startMs = Number(BigInt(batches[0]?.[0]?.startTimeUnixNano ?? 0) / 1_000_000n);
    expect(Math.abs(startMs - Date.now())).toBeLessThan(1_000);
  });
});

type Answer = "ok" | "fail" | "throw" | "reject" | "nothing" | "part" | "hang";
const ANSWERS: readonly Answer[] = ["ok", "ok", "ok", "fail", "throw", "reject", "nothing", "part", "hang"];

test("whatever happens, every span that ended is exported, dropped or rejected, once", async () => {
  await assert(
    asyncProperty(
      array(constantFrom(...ANSWERS), { maxLength: 20 }),
      array(
        oneof(
          record({ end: nat(40), bytes: constantFrom(0, 0, 500, 20_000) }),
          record({ call: nat(40) }),
          constantFrom("wait", "turn", "flush", "release", "shut down" as const),
        ),
        { maxLength: 15, size: "max" },
      ),
      record({
        maxQueueSize: constantFrom(1, 7, 50),
        maxExportBatchSize: constantFrom(1, 5, 100),
        maxBatchBytes: constantFrom(1, 5_000),
      }),
      async (answers, steps, limits) => {
        const hanging: ((delivery: SpanDelivery) => void)[] = [];
        const delivered: string[] = [];
        let asked = 0;
        const { end, provider, spanExport, before } = setUp(
          { ...limits, maxQueueBytes: 60_000, scheduledDelayMs: 1 },
          (spans) => {
            const answer = answers[asked++] ?? "ok";
            if (answer === "throw") throw new Error("thrown");
            if (answer === "reject") return Promise.reject(new Error("rejected"));
            if (answer === "nothing") return undefined as unknown as Promise<SpanDelivery>;
            if (answer === "fail") return Promise.resolve({ ok: false });
            delivered.push(...names(spans));
            if (answer === "hang") return new Promise((resolve) => hanging.push(resolve));
            return Promise.resolve(answer === "part" ? { ok: true, rejected: 2 } : OK);
          },
        );
        const removeListener = addSpanListener(provider);
        let ended = 0;
        const release = () => hanging.splice(0).forEach((resolve) => resolve(OK));
        const flushes: Promise<void>[] = [];
        for (const [index, step] of steps.entries()) {
          if (typeof step === "object" && "call" in step) {
            for (let i = 0; i < step.call; i++) endOperation(startCall(`${index}-${i}`));
            ended += step.call;
          } else if (typeof step === "object") {
            end(step.end, `${index}-`, { content: "x".repeat(step.bytes) });
            ended += step.end;
          } else if (step === "wait") await after(2);
          else if (step === "turn") await after(0);
          else if (step === "flush") flushes.push(spanExport.forceFlush());
          else if (step === "release") release();
          else flushes.push(spanExport.shutdown());
          // What waits, and one batch that is on its way.
          expect(spanExport.size).toBeLessThanOrEqual(limits.maxQueueSize + limits.maxExportBatchSize);
        }
        removeListener();
        const closed = spanExport.shutdown();
        await waitFor(
          () => {
            release();
            return spanExport.size === 0;
          },
          () => `nothing waiting, there are ${spanExport.size}`,
        );
        await Promise.all([closed, ...flushes]);
        const counts = countFrom(before);
        expect(counts.exported + counts.dropped + counts.rejected).toBe(ended);
        expect(counts.exported + counts.rejected).toBe(delivered.length);
        expect(new Set(delivered).size).toBe(delivered.length);
      },
    ),
    { numRuns: 150 },
  );
});
