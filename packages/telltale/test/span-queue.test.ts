import { ExportResultCode } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import { type ReadableSpan, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { selfCounters } from "@telltale/core";
import { beforeEach, expect, test } from "vitest";
import { createSpanQueue, type SpanQueue, type SpanQueueLimits } from "../src/otlp/span-queue.js";

/** An exporter as a user may write one: it keeps what it gets and answers when and as it is told. */
class HeldExporter implements SpanExporter {
  readonly batches: string[][] = [];
  answer: (code: ExportResultCode) => void = () => {};
  held = false;
  code = ExportResultCode.SUCCESS;
  export(spans: ReadableSpan[], done: (result: { code: ExportResultCode }) => void): void {
    this.batches.push(spans.map(({ name }) => name));
    this.answer = (code) => done({ code });
    if (!this.held) done({ code: this.code });
  }
  async shutdown(): Promise<void> {}
}

const limits: SpanQueueLimits = { maxQueueSize: 10, maxExportBatchSize: 4, scheduledDelayMs: 20, exportTimeoutMs: 200 };
let exporter = new HeldExporter();
let queue: SpanQueue;
let made = 0;

beforeEach(() => {
  exporter = new HeldExporter();
  queue = createSpanQueue(exporter, limits);
  made = 0;
});

function end(howMany: number): void {
  const tracer = new TracerProvider({ spanProcessors: [queue] }).getTracer("test");
  for (let n = 0; n < howMany; n++) tracer.startSpan(`s${made++}`).end();
}

function counted(outcome: string): number {
  return [...selfCounters()].find(({ metric, value }) => metric === "telltale.spans" && value === outcome)?.total ?? 0;
}

test("a few spans go out together after the delay", async () => {
  end(3);
  expect(queue.size()).toBe(3);
  await expect.poll(() => exporter.batches).toEqual([["s0", "s1", "s2"]]);
  await expect.poll(() => queue.size()).toBe(0);
});

test("a full batch goes out at once, the rest follows", async () => {
  end(9);
  await expect.poll(() => exporter.batches.flat()).toHaveLength(9);
  expect(exporter.batches.every((batch) => batch.length <= 4)).toBe(true);
});

test("while the collector hangs the oldest make room, and are counted", async () => {
  const before = counted("dropped");
  exporter.held = true;
  end(4);
  await expect.poll(() => exporter.batches).toHaveLength(1);
  end(15);
  expect(queue.size()).toBe(14);
  expect(counted("dropped") - before).toBe(5);
  exporter.held = false;
  exporter.answer(ExportResultCode.SUCCESS);
  await expect
    .poll(() => exporter.batches.flat())
    .toEqual(["s0", "s1", "s2", "s3", ...Array.from({ length: 10 }, (_, n) => `s${n + 9}`)]);
});

test("an export that fails, throws or takes too long is dropped and counted; delivery goes on", async () => {
  const before = counted("dropped");
  exporter.code = ExportResultCode.FAILED;
  end(1);
  await queue.forceFlush();
  expect(queue.delivering()).toBe(false);
  exporter.held = true;
  end(1);
  await queue.forceFlush();
  expect(counted("dropped") - before).toBe(2);
  exporter.held = false;
  exporter.code = ExportResultCode.SUCCESS;
  end(1);
  await queue.forceFlush();
  expect(queue.delivering()).toBe(true);
  expect(counted("dropped") - before).toBe(2);
});

test("a flush tries one batch where the collector is away, and the others wait; shutdown drops and counts them", async () => {
  const before = counted("dropped");
  exporter.code = ExportResultCode.FAILED;
  end(10);
  await queue.forceFlush();
  expect(exporter.batches).toEqual([["s0", "s1", "s2", "s3"]]);
  expect(queue.size()).toBe(6);
  await queue.shutdown();
  expect(exporter.batches).toHaveLength(2);
  expect(queue.size()).toBe(0);
  expect(counted("dropped") - before).toBe(10);
});

test("a resource that cannot be completed costs the batch, and nobody hears an unhandled rejection", async () => {
  const before = counted("dropped");
  const resource: Resource = {
    attributes: {},
    merge: () => resource,
    getRawAttributes: () => [],
    asyncAttributesPending: true,
    waitForAsyncAttributes: () => Promise.reject(new Error("no metadata server")),
  };
  new TracerProvider({ resource, spanProcessors: [queue] }).getTracer("test").startSpan("lost").end();
  await expect.poll(() => counted("dropped") - before).toBe(1);
  expect(queue.size()).toBe(0);
  end(1);
  await queue.forceFlush();
  expect(exporter.batches).toEqual([["s0"]]);
});

test("a flush empties the queue, shutdown flushes and takes no more", async () => {
  end(7);
  await queue.forceFlush();
  expect(exporter.batches.flat()).toHaveLength(7);
  end(1);
  const before = counted("dropped");
  exporter.held = true;
  const closing = queue.shutdown();
  expect(queue.shutdown()).toBe(closing);
  end(5);
  await expect.poll(() => exporter.batches.flat()).toHaveLength(8);
  exporter.answer(ExportResultCode.SUCCESS);
  await closing;
  await queue.forceFlush();
  expect(exporter.batches.flat()).toHaveLength(8);
  expect(counted("dropped") - before).toBe(5);
});
