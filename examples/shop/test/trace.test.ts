import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { drawWaterfall } from "../demo/report/trace.js";

const ms = (value: number) => BigInt(value * 1_000_000);
const span = (
  spanId: string,
  parentSpanId: string | undefined,
  name: string,
  start: number,
  end: number,
  code = "unset",
) => ({
  spanId,
  parentSpanId,
  name,
  startNs: ms(start),
  endNs: ms(end),
  status: { code },
});
const draw = (spans: unknown[]) => drawWaterfall(spans).map((line: string) => stripVTControlCharacters(line).trimEnd());

test("queries that repeat share a line, in the order they began", () => {
  const repeated = [1, 2, 3, 4].map((n) => span(`q${n}`, "root", "SELECT items", n * 8, n * 8 + 4));
  expect(
    draw([
      ...repeated.reverse(),
      span("list", "root", "SELECT orders", 0, 8),
      span("root", undefined, "GET /orders", 0, 64),
    ]),
  ).toEqual([
    "  GET /orders          64 ms  ████████████████████████████████",
    "    SELECT orders     8.0 ms  ████",
    "    SELECT items × 4   16 ms      ██████████████",
  ]);
});

test("a span with children keeps a line of its own, whatever its name", () => {
  expect(
    draw([
      span("root", "of another process", "POST /checkout", 0, 32),
      span("a", "root", "charge card", 0, 8),
      span("a1", "a", "POST", 0, 8),
      span("b", "root", "charge card", 8, 32, "error"),
    ]),
  ).toEqual([
    "  POST /checkout   32 ms  ████████████████████████████████",
    "    charge card   8.0 ms  ████████",
    "      POST        8.0 ms  ████████",
    "    charge card    24 ms          ████████████████████████",
  ]);
});

test("a span that took no time is still seen", () => {
  expect(draw([span("root", undefined, "GET /", 5, 5)])).toEqual(["  GET /  0 ms  █"]);
});
