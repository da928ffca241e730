import { expect, test } from "vitest";
import { formatDifference, formatTick } from "../web/pages/trace/format-time.js";
import {
  joinPieces,
  leaveOut,
  pan,
  place,
  rangeBetween,
  tickTimes,
  wholeRange,
  zoom,
} from "../web/pages/trace/time-range.js";

test("differences have their sign", () => {
  expect([formatDifference(12.34), formatDifference(-0.004), formatDifference(0)]).toEqual([
    "+12.3 ms",
    "−4.00 µs",
    "±0",
  ]);
});

test("ticks are round, within the range and not more than asked for", () => {
  expect(tickTimes({ fromMs: 0, toMs: 100 }, 5)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(tickTimes({ fromMs: 13, toMs: 27 }, 4)).toEqual([15, 20, 25]);
  for (const lengthMs of [1e-3, 0.7, 3, 49, 1e3, 8.6e7])
    for (const most of [1, 2, 5, 9]) {
      const ticks = tickTimes({ fromMs: 0.3 * lengthMs, toMs: 1.3 * lengthMs }, most);
      expect(ticks.length).toBeLessThanOrEqual(most + 1);
      for (const tick of ticks) expect(tick >= 0.299 * lengthMs && tick <= 1.301 * lengthMs).toBe(true);
    }
  expect(tickTimes({ fromMs: 5, toMs: 5 }, 5)).toEqual([]);
  expect(tickTimes({ fromMs: 0, toMs: Infinity }, 5)).toEqual([]);
});

test("a tick is as exact as its neighbours are near", () => {
  expect([0, 0.5, 1].map((ms) => formatTick(ms, 0.5))).toEqual(["0", "0.5 ms", "1.0 ms"]);
  expect([20, 40].map((ms) => formatTick(ms, 20))).toEqual(["20 ms", "40 ms"]);
  expect([1500, 2000].map((ms) => formatTick(ms, 500))).toEqual(["1.5 s", "2.0 s"]);
  expect(formatTick(0.02, 0.02)).toBe("20 µs");
  expect(formatTick(-20, 20)).toBe("−20 ms");
});

test("the whole is from the first start to the last end, and never empty", () => {
  expect(
    wholeRange([
      { startMs: 2, durationMs: 3 },
      { startMs: -1, durationMs: 2 },
    ]),
  ).toEqual({ fromMs: -1, toMs: 5 });
  const nothing = wholeRange([{ startMs: 0, durationMs: 0 }]);
  expect(nothing.toMs).toBeGreaterThan(nothing.fromMs);
  expect(wholeRange([]).toMs).toBeGreaterThan(0);
});

const whole = { fromMs: 0, toMs: 100 };

test("zooming keeps what is under the pointer, and stays inside of the trace", () => {
  const near = zoom(whole, 50, 0.5, whole);
  expect(near).toEqual({ fromMs: 25, toMs: 75 });
  expect(zoom(near, 25, 0.5, whole)).toEqual({ fromMs: 25, toMs: 50 });
  expect(zoom(near, 75, 10, whole)).toEqual(whole);
  expect(zoom(whole, 0, 0.1, whole)).toEqual({ fromMs: 0, toMs: 10 });
  let nearest = whole;
  for (let turn = 0; turn < 200; turn++) nearest = zoom(nearest, 33, 0.5, whole);
  expect(nearest.toMs).toBeGreaterThan(nearest.fromMs);
  expect(pan({ fromMs: 0, toMs: 10 }, 0.5, whole)).toEqual({ fromMs: 5, toMs: 15 });
  expect(pan({ fromMs: 85, toMs: 95 }, 9, whole)).toEqual({ fromMs: 90, toMs: 100 });
  expect(pan(near, -9, whole)).toEqual({ fromMs: 0, toMs: 50 });
});

test("a range is drawn from either side", () => {
  expect(rangeBetween(70, 20, whole)).toEqual({ fromMs: 20, toMs: 70 });
  expect(rangeBetween(-50, 20, whole)).toEqual({ fromMs: 0, toMs: 70 });
  const point = rangeBetween(100, 100, whole);
  expect(point.toMs).toBeGreaterThan(point.fromMs);
  expect(point.toMs).toBeLessThanOrEqual(100);
});

test("what shows in the range has a place; what has no length is a point", () => {
  expect(place(25, 50, whole)).toEqual({ left: 0.25, width: 0.5 });
  expect(place(-50, 100, whole)).toEqual({ left: 0, width: 0.5 });
  expect(place(50, 0, whole)).toEqual({ left: 0.5, width: 0 });
  expect(place(50, -9, whole)).toEqual({ left: 0.5, width: 0 });
  expect(place(120, 5, whole)).toBeUndefined();
  expect(place(-10, 5, whole)).toBeUndefined();
});

test("pieces are joined where they meet; the rest is left", () => {
  const pieces = joinPieces(
    [
      { fromMs: 50, toMs: 60 },
      { fromMs: 10, toMs: 20 },
      { fromMs: 15, toMs: 30 },
      { fromMs: 31, toMs: 32 },
    ],
    2,
  );
  expect(pieces).toEqual([
    { fromMs: 10, toMs: 32 },
    { fromMs: 50, toMs: 60 },
  ]);
  expect(leaveOut(whole, pieces)).toEqual([
    { fromMs: 0, toMs: 10 },
    { fromMs: 32, toMs: 50 },
    { fromMs: 60, toMs: 100 },
  ]);
  expect(leaveOut({ fromMs: 12, toMs: 20 }, pieces)).toEqual([]);
  expect(leaveOut(whole, [])).toEqual([whole]);
});
