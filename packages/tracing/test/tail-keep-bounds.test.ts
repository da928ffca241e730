import { contextOf } from "@telltale/core";
import { describe, expect, test } from "vitest";
import { type TailKeepOptions } from "../src/index.js";
import { keeping, outcome, textOf, begin, query, end, serveOne, sleep } from "./keeping.js";

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
