import { expect, test } from "vitest";
import { isWorthDrawing, makeBar } from "../web/pages/trace/bar-pieces.js";
import { findParentRow, fold, layOutRows, UNFOLDED, unfoldTo, visibleRows } from "../web/pages/trace/lay-out-rows.js";
import { growTree } from "../web/pages/trace/span-tree.js";
import { makeSpan } from "./make-span.js";

const draw = (rows: ReturnType<typeof layOutRows>, names: readonly { readonly name: string }[]): string[] =>
  rows.map(
    ({ level, members, index }) =>
      "  ".repeat(level) + (members ? `${members.length} × ` : "") + (names[index]?.name ?? "?"),
  );

const shop = [
  makeSpan({ name: "GET /orders" }),
  makeSpan({ name: "list", parent: 0 }),
  makeSpan({ name: "orders", parent: 1 }),
  makeSpan({ name: "item", parent: 1, group: "i" }),
  makeSpan({ name: "user", parent: 1 }),
  makeSpan({ name: "item", parent: 1, group: "i" }),
  makeSpan({ name: "item", parent: 1, group: "i" }),
  makeSpan({ name: "render", parent: 0, group: "r" }),
  makeSpan({ name: "render", parent: 0, group: "r" }),
];
const tree = growTree(shop);

test("what is alike stands in one line where the first of it was, from three on, and opens", () => {
  const rows = layOutRows(shop, tree, UNFOLDED);
  expect(draw(rows, shop)).toEqual([
    "GET /orders",
    "  list",
    "    orders",
    "    3 × item",
    "    user",
    "  render",
    "  render",
  ]);
  const group = rows[3];
  if (!group) throw new Error("no group");
  expect(group).toMatchObject({ members: [3, 5, 6], isOpen: false, canOpen: true, position: 2, brothers: 3 });
  const opened = layOutRows(shop, tree, fold(UNFOLDED, group, true));
  expect(draw(opened, shop).slice(3, 8)).toEqual([
    "    3 × item",
    "      item",
    "      item",
    "      item",
    "    user",
  ]);
  expect(findParentRow(opened, 5)).toBe(3);
  expect(findParentRow(opened, 7)).toBe(1);
  expect(findParentRow(opened, 0)).toBe(-1);
});

test("a closed span hides all below it, and opens for a span that is to be seen", () => {
  const list = layOutRows(shop, tree, UNFOLDED)[1];
  if (!list) throw new Error("no line");
  const closed = fold(UNFOLDED, list, false);
  expect(draw(layOutRows(shop, tree, closed), shop)).toEqual(["GET /orders", "  list", "  render", "  render"]);
  const rows = layOutRows(shop, tree, unfoldTo(shop, tree, closed, 5));
  expect(rows.some(({ index, members }) => index === 5 && !members)).toBe(true);
  const again = rows.find(({ index }) => index === 1);
  if (!again) throw new Error("no line");
  expect(fold(closed, again, true)).toBe(closed);
});

test("a group is opened for one of its spans only where that is asked for", () => {
  const [alone, together] = [false, true].map((isGroupEnough) =>
    layOutRows(shop, tree, unfoldTo(shop, tree, UNFOLDED, 5, isGroupEnough)),
  );
  expect(alone?.find(({ members }) => members?.includes(5))?.isOpen).toBe(true);
  expect(together?.find(({ members }) => members?.includes(5))?.isOpen).toBe(false);
});

test("a bar is full where the span was at work itself, and a group's where one of it ran", () => {
  const spans = [
    makeSpan({ name: "request", startMs: 0, durationMs: 100 }),
    makeSpan({ name: "a", parent: 0, startMs: 10, durationMs: 20, group: "a" }),
    makeSpan({ name: "a", parent: 0, startMs: 25, durationMs: 10, group: "a" }),
    makeSpan({ name: "a", parent: 0, startMs: 80, durationMs: 40, group: "a" }),
  ];
  const tree = growTree(spans);
  const [request, group] = layOutRows(spans, tree, UNFOLDED).map((row) => makeBar(row, spans, tree));
  expect(request).toEqual({
    whole: { fromMs: 0, toMs: 100 },
    busy: [
      { fromMs: 0, toMs: 10 },
      { fromMs: 35, toMs: 80 },
    ],
  });
  expect(group).toEqual({
    whole: { fromMs: 10, toMs: 120 },
    busy: [
      { fromMs: 10, toMs: 35 },
      { fromMs: 80, toMs: 120 },
    ],
  });
  expect([1, 2].map((waitedMs) => isWorthDrawing(waitedMs, makeSpan({ durationMs: 100 })))).toEqual([false, true]);
  expect(isWorthDrawing(0, makeSpan({ durationMs: 0 }))).toBe(false);
});

test("only the critical path: others go, with all below them", () => {
  const spans = shop.map((span, index) =>
    makeSpan(Object.assign({}, span, { isCritical: [0, 1, 3, 5, 6].includes(index) })),
  );
  expect(
    draw(
      layOutRows(spans, tree, UNFOLDED, ({ isCritical }) => isCritical),
      spans,
    ),
  ).toEqual(["GET /orders", "  list", "    3 × item"]);
});

test("parents that make no tree are no parents", () => {
  const spans = [
    makeSpan({ name: "itself", parent: 0 }),
    makeSpan({ name: "later", parent: 7 }),
    makeSpan({ name: "half", parent: 0.5 }),
    makeSpan({ name: "child", parent: 1 }),
  ];
  const tree = growTree(spans);
  expect(tree.roots).toEqual([0, 1, 2]);
  expect(tree.below).toEqual([0, 1, 0, 0]);
  expect(draw(layOutRows(spans, tree, UNFOLDED), spans)).toEqual(["itself", "later", "  child", "half"]);
  expect(layOutRows([], growTree([]), UNFOLDED)).toEqual([]);
});

test("ten thousand spans, each in the one before, are ten thousand lines", () => {
  const spans = Array.from({ length: 10_000 }, (_, index) => makeSpan({ name: String(index), parent: index - 1 }));
  const tree = growTree(spans);
  const rows = layOutRows(spans, tree, UNFOLDED);
  expect(rows).toHaveLength(10_000);
  expect(rows.at(-1)).toMatchObject({ index: 9999, level: 9999 });
  const closed = { closedSpans: new Set(spans.map(({ spanId }) => spanId)), openGroups: new Set<string>() };
  expect([...unfoldTo(spans, tree, closed, 9999).closedSpans]).toEqual([spans[9999]?.spanId]);
});

test("spans that share an id still have a line and a key each", () => {
  const spans = [1, 2, 3].map(() => makeSpan({ spanId: "00000000000000aa" }));
  const rows = layOutRows(spans, growTree(spans), UNFOLDED);
  expect(new Set(rows.map(({ key }) => key)).size).toBe(3);
});

test("the same group's name below another parent is another group", () => {
  const spans = [makeSpan({ name: "root" }), makeSpan({ name: "a", parent: 0 }), makeSpan({ name: "b", parent: 0 })];
  for (const parent of [1, 1, 1, 2, 2, 2]) spans.push(makeSpan({ name: "q", parent, group: "q" }));
  const tree = growTree(spans);
  const rows = layOutRows(spans, tree, UNFOLDED);
  expect(draw(rows, spans)).toEqual(["root", "  a", "    3 × q", "  b", "    3 × q"]);
  const first = rows[2];
  if (!first) throw new Error("no group");
  expect(layOutRows(spans, tree, fold(UNFOLDED, first, true))).toHaveLength(8);
});

test("only lines near the box are drawn", () => {
  const inBox = visibleRows(28_000, 560, 28, 10_000);
  expect(inBox.first).toBeLessThanOrEqual(1000);
  expect(inBox.end).toBeGreaterThanOrEqual(1020);
  expect(inBox.end - inBox.first).toBeLessThan(60);
  expect(visibleRows(0, 560, 28, 3)).toEqual({ first: 0, end: 3 });
  expect(visibleRows(1e9, 560, 28, 3).end).toBe(3);
  expect(visibleRows(0, 0, 28, 0)).toEqual({ first: 0, end: 0 });
});
