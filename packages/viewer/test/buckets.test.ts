import { array, assert, integer, property, record } from "fast-check";
import { expect, test } from "vitest";
import { exponentialBuckets } from "../src/store/buckets.js";

test("powers of two, at scale 0", () => {
  // (1, 2], (2, 4], and (4, 8] without any.
  const positive = { offset: 0, bucketCounts: [3, 5, 0] };
  expect(exponentialBuckets({ scale: 0, positive })).toEqual({ bounds: [1, 2, 4], counts: [0, 3, 5, 0] });
});

test("values below, at and above 0", () => {
  const buckets = exponentialBuckets({
    scale: 1,
    zeroCount: 7,
    negative: { offset: 2, bucketCounts: [4] },
    positive: { offset: -2, bucketCounts: [1, 2] },
  });
  // Scale 1: bounds are powers of the root of 2: [-2.83, -2), 0, (0.5, 0.71], (0.71, 1].
  const expected = [-(2 ** 1.5), -2, 0, 0.5, 2 ** -0.5, 1];
  expect(buckets?.bounds.map((bound) => bound.toFixed(9))).toEqual(expected.map((bound) => bound.toFixed(9)));
  expect(buckets?.counts).toEqual([0, 4, 7, 0, 1, 2, 0]);
});

test("too many become fewer and wider, and none is lost", () => {
  const buckets = exponentialBuckets({
    scale: 3,
    positive: { offset: -700, bucketCounts: Array.from({ length: 2_000 }, () => 1) },
  });
  expect(buckets?.counts.length).toBeLessThan(200);
  expect(buckets?.counts.reduce((sum, count) => sum + count)).toBe(2_000);
});

test.each([
  { positive: { bucketCounts: [-1] } },
  { positive: { bucketCounts: [0.5] } },
  { zeroCount: Number.NaN },
  { negative: { bucketCounts: [2 ** 60] } },
])("%j is no histogram", (point) => {
  expect(exponentialBuckets(point)).toBeUndefined();
});

test("whatever is sent: bounds ascend, counts are one more, and add up", () => {
  const side = record({
    offset: integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    bucketCounts: array(integer({ min: 0, max: 1_000 }), { maxLength: 400 }),
  });
  const points = record({
    scale: integer({ min: -2_000, max: 2_000 }),
    zeroCount: integer({ min: 0, max: 50 }),
    zeroThreshold: integer({ min: -1, max: 3 }),
    positive: side,
    negative: side,
  });
  assert(
    property(points, (point) => {
      const { bounds = [], counts = [] } = exponentialBuckets(point) ?? {};
      expect(counts).toHaveLength(bounds.length + 1);
      expect(bounds.every((bound, i) => Number.isFinite(bound) && bound > (bounds[i - 1] ?? -Infinity))).toBe(true);
      const all = [...point.positive.bucketCounts, ...point.negative.bucketCounts, point.zeroCount];
      expect(counts.reduce((sum, count) => sum + count)).toBe(all.reduce((sum, count) => sum + count));
    }),
  );
});
