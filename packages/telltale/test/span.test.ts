import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { annotate, span, traced } from "../src/span.js";

describe("without an SDK", () => {
  test("the function runs and its result comes back", async () => {
    expect(span("a", () => 1)).toBe(1);
    await expect(span("a", { x: 1 }, async () => 2)).resolves.toBe(2);
    expect(() => annotate({ x: 1 })).not.toThrow();
  });
});

describe("with an SDK", () => {
  const exporter = new InMemorySpanExporter();
  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  });
  beforeEach(() => exporter.reset());
  afterAll(() => {
    trace.disable();
    context.disable();
  });
  const one = () => {
    const spans = exporter.getFinishedSpans();
    expect(spans).toHaveLength(1);
    const [only] = spans;
    if (only === undefined) throw new Error("no span");
    return only;
  };

  test("a value ends the span", () => {
    expect(span("work", { "order.id": 7 }, () => "done")).toBe("done");
    expect(one()).toMatchObject({
      name: "work",
      attributes: { "order.id": 7 },
      status: { code: SpanStatusCode.UNSET },
    });
  });

  test.each<[string, () => unknown]>([
    ["no text", () => Object.create(null) as unknown],
    [
      "a message that throws",
      () => Object.defineProperty(new Error("m"), "message", { get: () => JSON.parse("{") as string }),
    ],
    [
      "a code that throws",
      () => Object.defineProperty(new Error("m"), "code", { get: () => JSON.parse("{") as string }),
    ],
  ])("an error with %s is thrown on unchanged, and ends the span", async (_, create) => {
    const error = create();
    const thrown: unknown[] = [];
    try {
      span("work", () => {
        throw error;
      });
    } catch (caught) {
      thrown.push(caught);
    }
    await span("work", async () => Promise.reject(error)).catch((caught: unknown) => thrown.push(caught));
    expect(thrown[0]).toBe(error);
    expect(thrown[1]).toBe(error);
    expect(exporter.getFinishedSpans().map(({ status }) => status.code)).toEqual([
      SpanStatusCode.ERROR,
      SpanStatusCode.ERROR,
    ]);
  });

  test("a throw ends the span, is recorded and thrown on unchanged", () => {
    const error = new TypeError("boom");
    expect(() =>
      span("work", () => {
        throw error;
      }),
    ).toThrow(error);
    expect(one()).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: "boom" },
      attributes: { "error.type": "TypeError" },
    });
    expect(one().events.map((event) => event.name)).toEqual(["exception"]);
  });

  test("a promise ends the span when it settles, not before", async () => {
    let settle: (value: number) => void = () => {};
    const result = span(
      "work",
      () =>
        new Promise<number>((resolve) => {
          settle = resolve;
        }),
    );
    expect(exporter.getFinishedSpans()).toHaveLength(0);
    settle(3);
    await expect(result).resolves.toBe(3);
    expect(one().name).toBe("work");
  });

  test("a rejection is recorded and rejects on with the same error, also when it is no Error", async () => {
    const error = new Error("late");
    await expect(span("work", () => Promise.reject(error))).rejects.toBe(error);
    await expect(
      span("work", async () => {
        throw "a text";
      }),
    ).rejects.toBe("a text");
    expect(exporter.getFinishedSpans().map(({ status }) => status.message)).toEqual(["late", "a text"]);
  });

  test.each([
    ["has no text", () => Object.create(null)],
    [
      "throws when it is read",
      () =>
        new Proxy(new Error("hidden"), {
          get() {
            throw new TypeError("do not look");
          },
        }),
    ],
  ])("what is thrown and %s is thrown on, and its span ends", async (_, make) => {
    const thrown: unknown = make();
    const caught: unknown[] = [];
    try {
      span("work", () => {
        throw thrown;
      });
    } catch (error) {
      caught.push(error);
    }
    await span("work", () => Promise.reject(thrown)).catch((error: unknown) => caught.push(error));
    expect(caught.map((error) => error === thrown)).toEqual([true, true]);
    const ended = exporter.getFinishedSpans();
    expect(ended.map(({ status }) => status.code)).toEqual([SpanStatusCode.ERROR, SpanStatusCode.ERROR]);
  });

  test("annotate and nested spans find the active one", async () => {
    await span("outer", async () => {
      annotate({ outer: true });
      await span("inner", async () => annotate({ inner: true }));
    });
    const [inner, outer] = exporter.getFinishedSpans();
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    expect(inner?.attributes).toEqual({ inner: true });
    expect(outer?.attributes).toEqual({ outer: true });
  });

  test("traced keeps type, this, arguments, name and length", () => {
    class Account {
      balance = 5;
      add = traced("add", function (this: Account, a: number, b: string): string {
        return `${this.balance + a}${b}`;
      });
    }
    const account = new Account();
    expectTypeOf(account.add).parameters.toEqualTypeOf<[a: number, b: string]>();
    expect(account.add(1, "!")).toBe("6!");
    expect(account.add.length).toBe(2);
    const named = traced(function charge() {
      return 1;
    });
    expect(named.name).toBe("charge");
    expect(named()).toBe(1);
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(["add", "charge"]);
  });

  test("a missing function is a clear error", () => {
    expect(() => span("x", {} as never)).toThrow(
      'span("x", …) needs a function to run as its last argument, got undefined',
    );
  });
});
