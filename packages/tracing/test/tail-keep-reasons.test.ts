import { ROOT_CONTEXT, SpanStatusCode, trace } from "@opentelemetry/api";
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
  startDatabaseOperation,
} from "@telltale/core";
import { describe, expect, test } from "vitest";
import { createSampler, type TailKeepOptions } from "../src/index.js";
import { undo, orders, keeping, outcome, textOf, begin, query, end, serveOne, sleep } from "./keeping.js";

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
    const failing = startDatabaseOperation(orders, undefined, undefined, ROOT_CONTEXT);
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
      const found = startDatabaseOperation(orders, "SELECT 7", [7], contextOf(operation));
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
