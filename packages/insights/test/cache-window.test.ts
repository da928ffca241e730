import { expect, test } from "vitest";
import { KeyPattern } from "../src/caches/patterns.js";
import { closeWindow } from "../src/caches/window.js";

const WINDOW_MS = 1_000;

/** Hits, misses and values put there, window after window; the last one is looked at. */
function settledAfter(
  windows: readonly [hits: number, misses: number, fills: number][],
  writes = 1,
): boolean | undefined {
  const pattern = new KeyPattern("product", "product:?", "product:?", undefined);
  pattern.sinceMs = 0;
  pattern.writes = writes;
  let settled: boolean | undefined;
  for (const [n, [hits, misses, fills]] of windows.entries()) {
    pattern.hits += hits;
    pattern.misses += misses;
    pattern.fills += fills;
    settled = closeWindow(pattern, (n + 1) * WINDOW_MS, WINDOW_MS, 100)?.isSettled;
  }
  return settled;
}

test.each<[string, [number, number, number][], boolean | undefined]>([
  ["the first window: cold", [[0, 200, 200]], false],
  [
    "the second: nothing to compare it with",
    [
      [0, 200, 200],
      [0, 200, 200],
    ],
    false,
  ],
  [
    "the third",
    [
      [0, 200, 200],
      [0, 200, 200],
      [0, 200, 200],
    ],
    true,
  ],
  [
    "a ratio that rises: it warms up",
    [
      [0, 200, 200],
      [20, 180, 180],
      [60, 140, 140],
    ],
    false,
  ],
  [
    "a ratio that falls",
    [
      [0, 200, 200],
      [100, 100, 100],
      [40, 160, 160],
    ],
    true,
  ],
  [
    "too few lookups",
    [
      [0, 200, 200],
      [0, 200, 200],
      [0, 99, 99],
    ],
    undefined,
  ],
  [
    "few lookups, added up",
    [
      [0, 200, 200],
      [0, 200, 200],
      [0, 60, 60],
      [0, 60, 60],
    ],
    true,
  ],
  [
    "what nobody fills is no cache",
    [
      [0, 200, 0],
      [0, 200, 0],
      [0, 200, 0],
    ],
    false,
  ],
])("%s", (_, windows, expected) => {
  expect(settledAfter(windows)).toBe(expected);
});

test("of a cache that does not tell when it is filled, nothing is expected", () => {
  expect(
    settledAfter(
      [
        [0, 200, 0],
        [0, 200, 0],
        [0, 200, 0],
      ],
      0,
    ),
  ).toBe(true);
});

test("lookups of a pattern that is asked for seldom are forgotten", () => {
  const seldom = Array.from({ length: 12 }, (): [number, number, number] => [0, 9, 9]);
  expect(settledAfter([[0, 200, 200], [0, 200, 200], ...seldom, [0, 200, 200]])).toBe(false);
});
