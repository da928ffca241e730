import { expect, test } from "vitest";
import { formatAgo, formatBytes, formatCount, formatKind, formatMs, formatPlural, formatShare } from "../web/format.js";
import { matchPath } from "../web/match-path.js";

test.each([
  [0, "0 ms"],
  [0.0123, "12.3 µs"],
  [0.9999, "1.00 ms"],
  [12.345, "12.3 ms"],
  [999.7, "1.00 s"],
  [59_960, "1 min 0 s"],
  [125_000, "2 min 5 s"],
  [7_380_000, "2 h 3 min"],
  [Number.NaN, "–"],
  [null, "–"],
])("%s ms is %s", (ms, text) => expect(formatMs(ms)).toBe(text));

test.each([
  [0, "0"],
  [0.25, "0.25"],
  [9_999, "9,999"],
  [56_700, "56.7 k"],
  [999_700, "1.00 M"],
])("%s is %s", (value, text) => expect(formatCount(value)).toBe(text));

test("bytes are counted in powers of 1,024", () => {
  expect([512, 12_595, 47_815_066, -1].map(formatBytes)).toEqual(["512 B", "12.3 KiB", "45.6 MiB", "-1 B"]);
});

test("only nothing is 0 %, and only all is 100 %", () => {
  expect([0, 0.0001, 0.004, 0.37, 0.9999, 1].map(formatShare)).toEqual([
    "0 %",
    "< 0.1 %",
    "0.4 %",
    "37 %",
    "> 99.9 %",
    "100 %",
  ]);
});

test("the time since, of a clock that runs ahead too", () => {
  const ago = [-5, 2, 59, 60, 7200, 200_000].map((seconds) => formatAgo(1e12 - seconds * 1000, 1e12));
  expect(ago).toEqual(["just now", "just now", "59 s ago", "1 min ago", "2 h ago", "2 d ago"]);
});

test("words", () => {
  expect([formatPlural(1, "query", "queries"), formatPlural(0, "span")]).toEqual(["1 query", "0 spans"]);
  expect([formatKind("n_plus_one"), formatKind("slow_query"), formatKind("<b>")]).toEqual([
    "N + 1",
    "slow query",
    "<b>",
  ]);
});

test("paths are matched part by part, and decoded", () => {
  expect(matchPath("/", "/")).toEqual({});
  expect(matchPath("/trace/:id", "/trace/abc/")).toEqual({ id: "abc" });
  expect(matchPath("/trace/:id/compare/:other", "/trace/a/compare/b")).toEqual({ id: "a", other: "b" });
  expect(matchPath("/metrics/:name", "/metrics/a%2Fb%20c")).toEqual({ name: "a/b c" });
  expect(matchPath("/trace/:id", "/trace/a/b")).toBeUndefined();
  expect(matchPath("/metrics/:name", "/metrics/%E0%A4%A")).toBeUndefined();
});
