import { expect, test } from "vitest";
import { analyzeQuery, createShapeCache, selfCounters } from "../src/index.js";

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
    shapes.get(`SELECT c${i}`);
    if (i % 1_000 === 0) shapes.get("SELECT kept");
  }
  expect(shapes.get("SELECT kept")).toBe(kept);
  expect(shapes.get("SELECT dropped")).not.toBe(dropped);
});

test("texts of one shape share it, and it is described once", () => {
  const shapes = createShapeCache("postgresql");
  expect(shapes.get("SELECT a FROM t WHERE id = 17")).toBe(shapes.get("SELECT a FROM t WHERE id = 4"));
});

test("long texts are forgotten before they are many, are counted, and drive out no short ones", () => {
  const shapes = createShapeCache("postgresql");
  const first = shapes.get("SELECT first");
  const long = `SELECT long /* ${"x".repeat(5_000)} */`;
  shapes.get(long);
  const before = reached("query.shapes");
  for (let i = 0; i < 60; i += 1) shapes.get(`SELECT c${i} /* ${"x".repeat(90_000)} */`);
  expect(shapes.get("SELECT first")).toBe(first);
  expect(reached("query.shapes") - before).toBeGreaterThan(40);
});

const rows = (count: number, value: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => value(n)).join(", ");
const LONG: Record<string, (seed: number) => string> = {
  "batch INSERT of parameters": (seed) =>
    `INSERT INTO t VALUES ${rows(4_000 + seed, (n) => `($${2 * n + 1}, $${2 * n + 2})`)}`,
  "INSERT of literals": (seed) =>
    `INSERT INTO t VALUES ${rows(10_000, (n) => `(${n * seed}, 'secret${n * seed}', NULL)`)}`,
  "INSERT of rows with casts": (seed) =>
    `INSERT INTO t VALUES ${rows(3_000, (n) => `(now(), ${n * seed}::int, DEFAULT)`)}`,
  "IN list": (seed) => `SELECT * FROM t WHERE id IN (${rows(50_000, (n) => `${n * seed}`)}) ORDER BY id`,
  "UPDATE of many": (seed) =>
    `UPDATE t SET a = CASE id ${Array.from({ length: 3_000 }, (_, n) => `WHEN ${n} THEN 'secret${n * seed}'`).join(" ")} END`,
  "10 MB": (seed) => `INSERT INTO t VALUES ${`('secret${seed}'), `.repeat(600_000)}`,
};

test.each(Object.entries(LONG))(
  "%s: one shape whatever the literals, within a bound, counted, nothing leaks",
  (_, write) => {
    const shapes = createShapeCache("postgresql");
    const texts = Array.from({ length: 8 }, (_, seed) => write(seed + 1));
    const before = reached("db.query.text");
    const [shape] = texts.map((text) => shapes.get(text));
    expect(new Set(texts.map((text) => shapes.get(text).fingerprint)).size).toBe(1);
    expect(reached("db.query.text") - before).toBeGreaterThanOrEqual(8);
    expect(shape?.collection).toBe("t");
    expect(shape?.queryText.length).toBeLessThanOrEqual(10_000);
    expect(shape?.queryText).toMatch(/ …$/);
    expect(shape?.queryText).not.toContain("secret");
  },
);

function reached(limit: string): number {
  return (
    [...selfCounters()].find(({ metric, value }) => metric === "telltale.limits.reached" && value === limit)?.total ?? 0
  );
}
