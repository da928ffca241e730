import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Baseline } from "../src/slow/baseline.js";
import { DurationSketch } from "../src/slow/duration-sketch.js";

describe("the sketch of durations", () => {
  const durations = fc.array(fc.double({ min: 0.3, max: 200_000, noNaN: true }), { minLength: 1, maxLength: 300 });

  test("gives a quantile that is never too low, and a quarter too high at most", () => {
    fc.assert(
      fc.property(durations, fc.constantFrom(0.5, 0.95, 0.99, 1), (all, share) => {
        const sketch = new DurationSketch();
        for (const ms of all) sketch.add(ms);
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(all.length * share) - 1] ?? 0;
        expect(sketch.quantile(share)).toBeGreaterThanOrEqual(exact * 0.999);
        expect(sketch.quantile(share)).toBeLessThanOrEqual(exact * 1.26);
      }),
    );
  });

  test("two add up to the one that heard all", () => {
    fc.assert(
      fc.property(durations, durations, (first, second) => {
        const [a, b, both] = [new DurationSketch(), new DurationSketch(), new DurationSketch()];
        for (const ms of first) a.add(ms);
        for (const ms of second) b.add(ms);
        for (const ms of [...first, ...second]) both.add(ms);
        a.merge(b);
        for (const share of [0.1, 0.5, 0.95, 1]) expect(a.quantile(share)).toBe(both.quantile(share));
        expect(a.count).toBe(both.count);
      }),
    );
  });

  test.each([
    ["nothing", [], 0],
    ["0", [0], 0.32],
    ["what is no number", [Number.NaN], 0.32],
    ["less than nothing", [-5], 0.32],
    ["what never ends", [Number.POSITIVE_INFINITY], 268_435.456],
  ])("%s stays within its bounds", (_, all, expected) => {
    const sketch = new DurationSketch();
    for (const ms of all) sketch.add(ms);
    expect(sketch.quantile(1)).toBeCloseTo(expected, 6);
  });

  test("counts do not overflow, and keep their proportions", () => {
    const sketch = new DurationSketch();
    for (let n = 0; n < 400_000; n++) sketch.add(n % 4 === 0 ? 100 : 1);
    expect(sketch.quantile(0.7)).toBeLessThan(1.3);
    expect(sketch.quantile(0.8)).toBeGreaterThan(99);
  });
});

describe("the baseline of a query shape", () => {
  function learn(baseline: Baseline, times: number, ms: number): void {
    for (let n = 0; n < times; n++) baseline.add(ms);
  }

  test("says nothing in the first hundred calls", () => {
    const baseline = new Baseline();
    learn(baseline, 99, 1);
    expect(baseline.limitMs).toBe(Number.POSITIVE_INFINITY);
    learn(baseline, 1, 1);
    expect(baseline.limitMs).toBe(20);
  });

  test("its limit is three times what 95 % of the calls keep", () => {
    const baseline = new Baseline();
    learn(baseline, 96, 10);
    learn(baseline, 4, 1_000);
    expect(baseline.usualMs).toBeGreaterThanOrEqual(10);
    expect(baseline.usualMs).toBeLessThanOrEqual(12.5);
    expect(baseline.limitMs).toBe(3 * baseline.usualMs);
  });

  test("a regression does not become the usual, at once or step by step", () => {
    const sudden = new Baseline();
    learn(sudden, 200, 10);
    const { limitMs } = sudden;
    learn(sudden, 10_000, 60);
    expect(sudden).toMatchObject({ limitMs, isFrozen: true });
    learn(sudden, 100, 10);
    expect(sudden.isFrozen).toBe(false);

    const creeping = new Baseline();
    learn(creeping, 200, 10);
    for (let ms = 10; ms < 500; ms *= 1.05) learn(creeping, 100, ms);
    expect(creeping.usualMs).toBeLessThan(10 * 1.5 * 1.25);
    expect(creeping.isFrozen).toBe(true);
  });

  test("a slow start is forgotten once calls are fast", () => {
    const baseline = new Baseline();
    learn(baseline, 100, 300);
    learn(baseline, 100, 10);
    expect(baseline.usualMs).toBeLessThan(12.6);
  });
});
