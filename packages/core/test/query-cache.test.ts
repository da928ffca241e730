import { expect, test } from "vitest";
import { analyzeQuery, createShapeCache } from "../src/index.js";

test("a text seen before gives the very same shape, which is that of the query", () => {
  const shapes = createShapeCache("postgresql");
  const text = "SELECT * FROM orders WHERE id = 1";
  expect(shapes.get(text)).toEqual(analyzeQuery(text, "postgresql"));
  expect(shapes.get(text)).toBe(shapes.get(text));
});

test("the texts used last stay, whatever else comes by", () => {
  const shapes = createShapeCache("postgresql");
  const kept = shapes.get("SELECT kept");
  const dropped = shapes.get("SELECT dropped");
  for (let i = 0; i < 3_000; i += 1) {
    shapes.get(`SELECT ${i}`);
    if (i % 1_000 === 0) shapes.get("SELECT kept");
  }
  expect(shapes.get("SELECT kept")).toBe(kept);
  expect(shapes.get("SELECT dropped")).not.toBe(dropped);
});

test("long texts are dropped before they are many", () => {
  const shapes = createShapeCache("postgresql");
  const first = shapes.get("SELECT first");
  for (let i = 0; i < 45; i += 1) shapes.get(`SELECT ${i} /* ${"x".repeat(90_000)} */`);
  expect(shapes.get("SELECT first")).not.toBe(first);
});

test("a huge text costs no more than its beginning, and leaks nothing where it is cut", () => {
  const shapes = createShapeCache("postgresql");
  const text = `INSERT INTO t VALUES ${"('secret'), ".repeat(1_000_000)}`;
  const before = process.threadCpuUsage();
  const shape = shapes.get(text);
  const { user, system } = process.threadCpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(100);
  expect(shape.summary).toBe("INSERT t");
  expect(shape.queryText).not.toContain("sec");
});
