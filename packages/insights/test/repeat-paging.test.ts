import { expect, test } from "vitest";
import { pagingOf, readsInParts, withoutBounds } from "../src/repeats/paging.js";

test.each<[text: string, parameters: number[] | undefined]>([
  ["SELECT * FROM t WHERE id = $1", undefined],
  ["SELECT * FROM t WHERE data->>'a' = $1 AND tags @> $2 AND tags <@ $3 AND a <> $4 AND b != $5", undefined],
  ["SELECT * FROM t LIMIT $1 OFFSET $2", [0, 1]],
  ["SELECT * FROM t WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3", [1, 2]],
  ["SELECT * FROM t WHERE tenant = $1 AND $2 < id ORDER BY id FETCH FIRST 50 ROWS ONLY", [1]],
  ["SELECT * FROM t WHERE (a, b) > ($1, $2) ORDER BY a, b LIMIT 10", [0, 1]],
  ["SELECT * FROM t WHERE a < $1 OR (a = $1 AND id < $2) ORDER BY a DESC, id DESC LIMIT 10", [0, 1]],
  ["SELECT * FROM t WHERE id BETWEEN $1 AND $2 AND kind = $3", [0, 1]],
  ["SELECT sum(n) FROM t WHERE day >= $1::date AND day < $2::date", [0, 1]],
  ["SELECT * FROM t WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?", [1, 2]],
  ["SELECT * FROM t WHERE tenant = 'a' AND id > 5 LIMIT 10", []],
])("%s reads on by %j", (text, parameters) => {
  const paging = pagingOf(text.replaceAll(/'[^']*'/g, "?"), text);
  expect(paging && [...paging.parameters].sort()).toEqual(parameters);
});

test.each([
  ["SELECT * FROM t WHERE id > 5 LIMIT 10", "SELECT * FROM t WHERE id > 25 LIMIT 10", true],
  ["SELECT * FROM t WHERE at > '2026-01-01' LIMIT 10", "SELECT * FROM t WHERE at > '2026-02-01' LIMIT 10", true],
  ["SELECT * FROM t LIMIT 10 OFFSET 0", "SELECT * FROM t LIMIT 10 OFFSET 10", true],
  ["SELECT * FROM t WHERE id BETWEEN 1 AND 10", "SELECT * FROM t WHERE id BETWEEN 11 AND 20", true],
  ["SELECT * FROM t WHERE owner = 5 LIMIT 10", "SELECT * FROM t WHERE owner = 6 LIMIT 10", false],
  ["SELECT * FROM t WHERE owner = 'a' AND id > 5", "SELECT * FROM t WHERE owner = 'b' AND id > 5", false],
])("%s is read on by %s: %s", (one, next, isSame) => {
  expect(withoutBounds(one) === withoutBounds(next)).toBe(isSame);
});

test.each<[what: string, text: string, rowsEach: number, inParts: boolean]>([
  ["offset", "SELECT * FROM t LIMIT $1 OFFSET $2", 1, true],
  ["pages of a key", "SELECT * FROM t WHERE id > $1 ORDER BY id LIMIT 20", 20, true],
  ["the price at a time", "SELECT * FROM t WHERE at <= $1 ORDER BY at DESC LIMIT 1", 1, false],
  ["chunks", "SELECT * FROM t WHERE id BETWEEN $1 AND $2", 100, true],
  ["the sum of a day", "SELECT sum(n) FROM t WHERE at >= $1 AND at < $2", 1, false],
])("%s: %s with %i rows each is read in parts: %s", (_, text, rowsEach, inParts) => {
  const paging = pagingOf(text, text);
  expect(paging !== undefined && readsInParts(paging, rowsEach * 8, 8)).toBe(inParts);
});

test("no text takes long", () => {
  for (const text of [
    "'".repeat(50_000),
    "($1,".repeat(20_000),
    "1".repeat(80_000),
    "< ".repeat(40_000),
    "''< ".repeat(20_000),
  ]) {
    const startMs = performance.now();
    pagingOf(text.slice(0, 10_000), text);
    withoutBounds(text);
    expect(performance.now() - startMs, text.slice(0, 5)).toBeLessThan(30);
  }
});
