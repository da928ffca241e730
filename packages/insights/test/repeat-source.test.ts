import fc from "fast-check";
import { expect, test } from "vitest";
import { Tally } from "../src/repeats/calls.js";
import { orderOf } from "../src/repeats/finding.js";
import { fitOf } from "../src/repeats/source.js";

test.each([
  [25, 25, "exact"],
  [26, 25, "near"],
  [50, 25, "near"],
  [51, 25, undefined],
  [10, 20, "near"],
  [10, 30, "near"],
  [10, 25, undefined],
  [24, 25, undefined],
  [1, 25, undefined],
  [0, 25, undefined],
] as const)("%i rows and %i calls fit: %s", (rows, calls, fit) => {
  expect(fitOf(rows, calls)).toBe(fit);
});

test.each([
  [0, 25, "sequential"],
  [24, 25, "parallel"],
  [20, 25, "parallel"],
  [3, 25, "mixed"],
  [1, 2, "parallel"],
] as const)("%i overlaps in %i calls are %s", (overlaps, calls, order) => {
  expect(orderOf(overlaps, calls)).toBe(order);
});

test("a tally decides as a count of all values would", () => {
  const values = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 });
  fc.assert(
    fc.property(values, fc.integer({ min: 2, max: 8 }), (hashes, most) => {
      const tally = new Tally();
      const counts = new Map<number, number>();
      for (const hash of hashes) {
        tally.add(hash, most);
        counts.set(hash, (counts.get(hash) ?? 0) + 1);
      }
      expect(tally.size).toBe(Math.min(most, counts.size));
      if (counts.size < most) expect(tally.most()).toBe(Math.max(0, ...counts.values()));
    }),
  );
});
