import { assert, property, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeLogs, decodeMetrics, decodeTraces, OtlpError, parseMetrics, parseTraces } from "../src/index.js";

/** A field that is a chunk, of a number below 16. */
function chunk(field: number, ...content: (Uint8Array | number[] | string)[]): Uint8Array {
  const bytes = Buffer.concat(
    content.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))),
  );
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}

function inSpan(...fields: Uint8Array[]): Uint8Array {
  return chunk(1, chunk(2, chunk(2, ...fields)));
}

function errorOf(work: () => unknown): OtlpError {
  try {
    work();
  } catch (error) {
    if (error instanceof OtlpError) return error;
    throw error;
  }
  throw new Error("it was read");
}

describe("protobuf", () => {
  const name = chunk(5, "GET /orders");
  const whole = inSpan(chunk(1, Buffer.alloc(16, 1)), name, chunk(9, chunk(1, "key"), chunk(2, [0x18, 0x96, 0x01])));

  test("whole, it is read", () => {
    expect(decodeTraces(whole).resourceSpans?.[0]?.scopeSpans?.[0]?.spans).toEqual([
      { traceId: "01".repeat(16), name: "GET /orders", attributes: [{ key: "key", value: { intValue: 150 } }] },
    ]);
  });

  test("cut off anywhere, it is refused", () => {
    for (let length = 1; length < whole.length; length += 1)
      expect(errorOf(() => decodeTraces(whole.subarray(0, length))).reason, `${length} bytes`).toBe("broken");
  });

  test("a message cannot reach beyond the one it is in", () => {
    const liar = inSpan(Buffer.from([0x2a, 40, 0x61]));
    expect(errorOf(() => decodeTraces(Buffer.concat([liar, Buffer.alloc(64)]))).message).toContain(
      "40 bytes are announced, 1 left",
    );
  });

  test("any bytes are read or refused, and nothing else", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decode of [decodeTraces, decodeMetrics, decodeLogs]) {
          try {
            decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(OtlpError);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("fields of later versions are passed over", () => {
    const later = [chunk(14, []), Buffer.from([0xf8, 0x3f, 1]), Buffer.from([0xf9, 0x3f, ...Buffer.alloc(8)])];
    const read = decodeTraces(inSpan(...later, Buffer.from([0xfd, 0x3f, 0, 0, 0, 0]), name));
    expect(read.resourceSpans?.[0]?.scopeSpans?.[0]?.spans?.[0]?.name).toBe("GET /orders");
  });

  test("another wire type than the field has is refused by name", () => {
    expect(errorOf(() => decodeTraces(inSpan(Buffer.from([0x28, 1])))).message).toContain("name has wire type 0");
  });

  test("lists of numbers are read packed and one by one", () => {
    const point = (...fields: Uint8Array[]) => chunk(1, chunk(2, chunk(2, chunk(9, chunk(1, ...fields)))));
    const number = (value: number) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt(value));
      return bytes;
    };
    const packed = point(chunk(6, number(7), number(2 ** 40)));
    const single = point(Buffer.from([0x31]), number(7), Buffer.from([0x31]), number(2 ** 40));
    for (const bytes of [packed, single]) {
      const [metric] = decodeMetrics(bytes).resourceMetrics?.[0]?.scopeMetrics?.[0]?.metrics ?? [];
      expect(metric?.histogram?.dataPoints?.[0]?.bucketCounts).toEqual([7, 2 ** 40]);
    }
  });

  test("whole numbers keep what JavaScript's cannot hold", () => {
    const value = (...bytes: number[]) =>
      decodeTraces(inSpan(chunk(9, chunk(2, [0x18, ...bytes])))).resourceSpans?.[0]?.scopeSpans?.[0]?.spans?.[0]
        ?.attributes?.[0]?.value?.intValue;
    const ff = (count: number) => Array.from({ length: count }, () => 0xff);
    expect(value(...ff(9), 1)).toBe(-1);
    expect(value(...ff(8), 0x7f)).toBe(2n ** 63n - 1n);
    expect(value(...ff(7), 0x0f)).toBe(2 ** 53 - 1);
    expect(value(...Array.from({ length: 9 }, () => 0x80), 1)).toBe(-(2n ** 63n));
  });

  test("nesting is bounded", () => {
    const nest = (deep: number) => {
      let value = chunk(1, "x");
      for (let i = 0; i < deep; i += 1) value = chunk(5, chunk(1, value));
      return inSpan(chunk(9, chunk(2, value)));
    };
    // Request, resource, scope, span, attribute and value are five below the first; a list in a list is two more.
    expect(() => decodeTraces(nest(47))).not.toThrow();
    expect(errorOf(() => decodeTraces(nest(48))).message).toContain("nested more than 100 deep");
    expect(errorOf(() => decodeTraces(nest(3_000))).message).toContain("nested more than 100 deep");
  });

  test("many little things are refused before they fill the memory", () => {
    const empty = chunk(1, chunk(2, Buffer.alloc(2 * 4_100_000, Buffer.from([0x12, 0]))));
    const error = errorOf(() => decodeTraces(empty));
    expect([error.reason, error.message]).toEqual(["large", "more than 4000000 messages and values in one request"]);
  });
});

describe("JSON", () => {
  const span = (fields: unknown) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{}, fields] }] }] });

  test.each<[unknown, string]>([
    [{ name: 5 }, ".name must be a string, and is number 5"],
    [{ name: ["a"] }, ".name must be a string, and is an array"],
    [{ traceId: {} }, ".traceId must be a string of hexadecimal digits, and is an object"],
    [{ attributes: {} }, ".attributes must be an array, and is an object"],
    [{ attributes: [null] }, ".attributes[0] must be an object, and is null"],
    [{ attributes: [{ key: "a", value: "b" }] }, '.attributes[0].value must be an object, and is the string "b"'],
    [{ attributes: [{ value: { intValue: "1.5" } }] }, '.intValue must be a whole number, and is the string "1.5"'],
    [{ attributes: [{ value: { doubleValue: true } }] }, ".doubleValue must be a number, and is boolean true"],
    [{ startTimeUnixNano: -1 }, ".startTimeUnixNano must be a whole number of nanoseconds, and is number -1"],
    [{ startTimeUnixNano: "soon" }, '.startTimeUnixNano must be a whole number, and is the string "soon"'],
    [{ kind: "SERVER" }, '.kind must be a whole number, and is the string "SERVER"'],
    [{ events: [{ attributes: 1 }] }, ".events[0].attributes must be an array, and is number 1"],
    [5, " must be an object, and is number 5"],
  ])("%j is refused with its place", (fields, message) => {
    const text = errorOf(() => parseTraces(span(fields))).message;
    expect(text).toContain(`resourceSpans[0].scopeSpans[0].spans[1]${message.startsWith(" ") ? message : ""}`);
    expect(text).toContain(message);
  });

  test.each(["", "{", "[]", "null", "5", '"x"', "[".repeat(100_000)])("%s is refused", (text) => {
    expect(errorOf(() => parseTraces(text)).reason).toBe("broken");
  });

  test("nesting is bounded", () => {
    const deep = 20_000;
    const value = `${'{"arrayValue":{"values":['.repeat(deep)}{}${"]}}".repeat(deep)}`;
    const text = `{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${value}}]}}]}`;
    const { message } = errorOf(() => parseTraces(text));
    expect(message).toMatch(/^nested more than 100 deep at resourceSpans\[0\]\.resource\.attributes\[0\]/);
    expect(message.length).toBeLessThan(500);
  });

  test("null is as good as absent, and what is unknown is passed over", () => {
    const read = parseTraces(span({ name: null, attributes: null, status: null, later: [{ a: 1 }] }));
    expect(read.resourceSpans?.[0]?.scopeSpans?.[0]?.spans?.[1]).toEqual({});
  });

  test("numbers may be written as texts, and ids in capitals", () => {
    const read = parseTraces(
      span({
        traceId: "ABCDEF0123456789ABCDEF0123456789",
        startTimeUnixNano: "1700000000123456789",
        attributes: [{ value: { intValue: "9007199254740993" } }, { value: { doubleValue: "NaN" } }],
      }),
    ).resourceSpans?.[0]?.scopeSpans?.[0]?.spans?.[1];
    expect(read?.traceId).toBe("abcdef0123456789abcdef0123456789");
    expect(read?.startTimeUnixNano).toBe(1_700_000_000_123_456_789n);
    expect(read?.attributes?.map(({ value }) => value?.intValue ?? value?.doubleValue)).toEqual([
      2n ** 53n + 1n,
      Number.NaN,
    ]);
  });

  test("exemplars and summaries are read", () => {
    const point = {
      quantileValues: [{ quantile: 0.5, value: 3 }],
      exemplars: [{ asInt: "4", traceId: "AB", spanId: "CD", timeUnixNano: "5" }],
    };
    const metrics = [{ name: "m", summary: { dataPoints: [point] }, sum: { dataPoints: [point] } }];
    const [read] =
      parseMetrics(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] })).resourceMetrics?.[0]
        ?.scopeMetrics?.[0]?.metrics ?? [];
    expect(read?.summary?.dataPoints?.[0]?.quantileValues).toEqual([{ quantile: 0.5, value: 3 }]);
    expect(read?.sum?.dataPoints?.[0]?.exemplars).toEqual([
      { asInt: 4, traceId: "ab", spanId: "cd", timeUnixNano: 5n },
    ]);
  });
});
