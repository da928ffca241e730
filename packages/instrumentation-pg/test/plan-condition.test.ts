import { describe, expect, test } from "vitest";
import { readComparison, readEquality, readSortKey, splitConjunction } from "../src/plan-condition.js";

describe("the parts of a condition", () => {
  test.each<[condition: string, parts: string[]]>([
    ["(o.a = 1)", ["o.a = 1"]],
    ["((o.a = 1) AND (o.b = 2))", ["o.a = 1", "o.b = 2"]],
    ["((o.a = 1) AND ((o.b = 2) OR (o.c = 3)))", ["o.a = 1", "(o.b = 2) OR (o.c = 3)"]],
    ["((o.a = 1) OR (o.b = 2))", ["(o.a = 1) OR (o.b = 2)"]],
    ["((o.a = ' AND (o.b'::text) AND (o.c = 2))", ["o.a = ' AND (o.b'::text", "o.c = 2"]],
    [`((o."a) AND (b" = 1) AND (o.c = 2))`, [`o."a) AND (b" = 1`, "o.c = 2"]],
    ["((o.a = 'it''s )'::text) AND (o.c = 2))", ["o.a = 'it''s )'::text", "o.c = 2"]],
    ["(NOT o.done)", ["NOT o.done"]],
    ["", [""]],
  ])("%s", (condition, parts) => {
    expect(splitConjunction(condition)).toEqual(parts);
  });
});

test.each<[part: string, column: string | undefined, isEqual?: boolean, call?: string | undefined, cast?: string]>([
  ["o.a = 1", "a", true],
  ["o.a = $1", "a", true],
  ["o.a = ANY ('{1,2}'::integer[])", "a", true],
  ["o.a >= '2026-01-01'::date", "a", false],
  ["o.a IS NULL", "a", true],
  [`o."Or der" = $1`, "Or der", true],
  ["(o.a)::text = 'x'::text", "a", true, undefined, "text"],
  ["lower(o.a) = 'x'::text", "a", true, "lower"],
  ["lower((o.a)::text) = 'x'::text", "a", true, "lower", "text"],
  ["o.a < (now() - '1 day'::interval)", "a", false],
  ["o.a = c.b", "a", true],
  // No index on these columns serves them.
  ["o.a = o.b", undefined],
  ["o.a <> 1", undefined],
  ["o.a ~~ 'x%'::text", undefined],
  ["x.a = 1", undefined],
  ["(o.a + 1) = 2", undefined],
  ["md5(o.a) = 'x'::text", undefined],
  ["NOT o.a", undefined],
  ["(o.a = 2) OR (o.b = 3)", undefined],
  ["(o.a = 2) OR (c.b = 3)", undefined],
])("what an index could serve of %s", (part, column, isEqual, call, cast) => {
  const found = readComparison(part, "o");
  expect(found && [found.column, found.isEqual, found.call, found.cast]).toEqual(
    column && [column, isEqual, call, cast],
  );
});

test.each<[key: string, found: unknown]>([
  ["o.a", { alias: "o", column: "a", order: "" }],
  ["o.a DESC NULLS LAST", { alias: "o", column: "a", order: " DESC NULLS LAST" }],
  [`o."A b" DESC`, { alias: "o", column: "A b", order: " DESC" }],
  ["(lower(o.a))", undefined],
  ["(count(*))", undefined],
])("the sort key %s", (key, found) => {
  expect(readSortKey(key)).toEqual(found);
});

test.each<[part: string, found: unknown]>([
  [
    "a.x = b.y",
    [
      { alias: "a", column: "x" },
      { alias: "b", column: "y" },
    ],
  ],
  [
    "(a.x)::text = (b.y)::text",
    [
      { alias: "a", column: "x" },
      { alias: "b", column: "y" },
    ],
  ],
  ["a.x < b.y", undefined],
  ["a.x = 1", undefined],
])("the equality %s", (part, found) => {
  expect(readEquality(part)).toEqual(found);
});
