import { expect, test } from "vitest";
import type { FindingItem } from "../src/api/answers.js";
import { compareTraces, rankChanges } from "../web/pages/trace/compare-traces.js";
import { placeFindings } from "../web/pages/trace/place-findings.js";
import { makeSpan } from "./make-span.js";

const before = [
  makeSpan({ name: "GET /orders", kind: "server", durationMs: 20, selfMs: 5 }),
  makeSpan({ name: "cache", parent: 0, startMs: 1, durationMs: 1, selfMs: 1 }),
  makeSpan({ name: "orders", parent: 0, startMs: 2, durationMs: 6, selfMs: 6 }),
  makeSpan({ name: "item", parent: 0, startMs: 9, durationMs: 4, selfMs: 4 }),
  makeSpan({ name: "item", parent: 0, startMs: 13, durationMs: 4, selfMs: 4 }),
];
const after = [
  makeSpan({ name: "GET /orders", kind: "server", durationMs: 50, selfMs: 5 }),
  makeSpan({ name: "orders", parent: 0, startMs: 2, durationMs: 12, selfMs: 12 }),
  makeSpan({ name: "tax", parent: 0, startMs: 3, durationMs: 2, selfMs: 2, status: "error" }),
  makeSpan({ name: "item", parent: 0, startMs: 15, durationMs: 4, selfMs: 4 }),
  makeSpan({ name: "item", parent: 0, startMs: 19, durationMs: 4, selfMs: 4 }),
  makeSpan({ name: "item", parent: 0, startMs: 23, durationMs: 4, selfMs: 4 }),
];

test("two traces are lined up by the names on the way down", () => {
  const rows = compareTraces({ spans: before }, { spans: after });
  expect(
    rows.map(({ level, name, change, before, after }) => [level, name, change, before.count, after.count]),
  ).toEqual([
    [0, "GET /orders", "slower", 1, 1],
    [1, "cache", "gone", 1, 0],
    [1, "orders", "slower", 1, 1],
    [1, "tax", "new", 0, 1],
    [1, "item", "more", 2, 3],
  ]);
  expect(rows[4]).toMatchObject({
    differenceMs: 4,
    before: { totalMs: 8, spanId: before[3]?.spanId },
    after: { totalMs: 12, spanId: after[3]?.spanId },
  });
  expect(compareTraces({ spans: after }, { spans: before }).map(({ change }) => change)).toEqual([
    "faster",
    "new",
    "faster",
    "gone",
    "fewer",
  ]);
  expect(compareTraces({ spans: before }, { spans: before }).every(({ change }) => change === "same")).toBe(true);
});

test("the same name elsewhere, of another service or kind, is another path", () => {
  const spans = [
    makeSpan({ name: "GET" }),
    makeSpan({ name: "GET", parent: 0 }),
    makeSpan({ name: "GET", parent: 0, kind: "client" }),
    makeSpan({ name: "GET", parent: 0, service: "stock" }),
  ];
  expect(compareTraces({ spans }, { spans: [] })).toHaveLength(4);
});

test("own times add up to the difference; what counts most stands first", () => {
  const rows = compareTraces({ spans: before }, { spans: after });
  const sum = (spans: typeof before): number => spans.reduce((total, { selfMs }) => total + selfMs, 0);
  expect(rows.reduce((total, row) => total + row.selfDifferenceMs, 0)).toBe(sum(after) - sum(before));
  expect(rankChanges(rows, 3).map(({ name, selfDifferenceMs }) => [name, selfDifferenceMs])).toEqual([
    ["orders", 6],
    ["item", 4],
    ["tax", 2],
  ]);
});

test("as deep as a trace may be", () => {
  const spans = Array.from({ length: 10_000 }, (_, index) => makeSpan({ name: "deeper", parent: index - 1 }));
  const rows = compareTraces({ spans }, { spans: spans.slice(0, 5000) });
  expect(rows).toHaveLength(10_000);
  expect(rows.filter(({ change }) => change === "gone")).toHaveLength(5000);
});

test("a finding stands at the calls of its query, then at what says that it is of its kind, or at the request", () => {
  const query = (text: string, finding: string | null) => makeSpan({ finding, attributes: { "db.query.text": text } });
  const spans = [
    makeSpan({ kind: "server", finding: "n_plus_one" }),
    query("SELECT 1", null),
    query("SELECT 1", "slow_query"),
    makeSpan({ attributes: { "db.query.summary": "GET user" } }),
  ];
  const finding = (said: Partial<FindingItem>) => ({ kind: "n_plus_one", queryText: null, summary: null, ...said });
  const placed = placeFindings(
    [
      finding({ queryText: "SELECT 1" }),
      finding({ kind: "slow_query", queryText: "SELECT 1" }),
      finding({ queryText: "SELECT 9" }),
      finding({ kind: "repeated_lookup", summary: "GET user" }),
      finding({ kind: "event_loop_blocked" }),
    ] as FindingItem[],
    spans,
  );
  expect(placed.spansOf).toEqual([[1, 2, 0], [2], [0], [3], [0]]);
  expect(placed.findingsAt.get(2)).toEqual([0, 1]);
});
