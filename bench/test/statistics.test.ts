import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { median, shuffle, slope, spread } from "../src/statistics.js";

test.each([
  { values: [7], expected: 7 },
  { values: [3, 1, 2], expected: 2 },
  { values: [4, 1, 3, 2], expected: 2.5 },
  { values: [10, 9, 100], expected: 10 },
  { values: [], expected: Number.NaN },
])("median of $values is $expected", ({ values, expected }) => {
  expect(median(values)).toBe(expected);
});

test("median leaves its argument as it is", () => {
  const values = [3, 1, 2];
  median(values);
  expect(values).toEqual([3, 1, 2]);
});

test("spread is the median and the ends", () => {
  expect(spread([5, -1, 30, 6])).toEqual({ median: 5.5, min: -1, max: 30 });
});

describe("slope", () => {
  test("of a line is the line's", () => {
    const real = fc.integer({ min: -1000, max: 1000 });
    fc.assert(
      fc.property(real, real, fc.uniqueArray(real, { minLength: 2, maxLength: 20 }), (rise, offset, xs) => {
        expect(slope(xs.map((x) => [x, rise * x + offset]))).toBeCloseTo(rise, 6);
      }),
    );
  });

  test("is nearest to points that are on no line", () => {
    // By hand: mean 2 and 4; (−1·−2 + 0·1 + 1·1) / 2.
    const points: [number, number][] = [
      [1, 2],
      [2, 5],
      [3, 5],
    ];
    expect(slope(points)).toBe(1.5);
  });
});

test("shuffle keeps all items and gives each every place", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) seen.add(shuffle(["a", "b", "c"]).join(""));
  expect([...seen].sort()).toEqual(["abc", "acb", "bac", "bca", "cab", "cba"]);
});
