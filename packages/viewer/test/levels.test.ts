import { expect, it } from "vitest";
import { levelsOf } from "../src/api/over-time.js";
import type { TimeWindow } from "../src/api/time-window.js";

const window: TimeWindow = { fromMs: 1_000_000, toMs: 1_040_000, stepMs: 10_000, count: 4 };
const points = [
  [995, 8],
  [1001, 2],
  [1004, 9],
  [1008, 1],
  [1012, 3],
  [1035, 0],
].map(([second = 0, value = 0]) => ({
  us: second * 1e6,
  startUs: 0,
  value,
  count: null,
  min: null,
  max: null,
  buckets: null,
}));

it("tells how a level was when each step ended", () => {
  expect(levelsOf(points, window)).toEqual([1, 3, 3, 0]);
});

it("tells the most of each step, where that is asked for", () => {
  expect(levelsOf(points, window, false, true)).toEqual([9, 3, 3, 0]);
});
