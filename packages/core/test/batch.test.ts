import { expect, test } from "vitest";
import { analyzeQuery } from "../src/query/analyze-query.js";

test.each<[string, boolean | "array"]>([
  ["SELECT * FROM t WHERE id IN (1, 2)", true],
  ["SELECT * FROM t WHERE id IN ($1, $2, $3)", true],
  ["SELECT * FROM t WHERE id = ANY($1)", "array"],
  ["SELECT * FROM t WHERE id = ANY ($1::int[])", "array"],
  ["SELECT * FROM t WHERE id = ANY($1) AND state IN (1, 2)", true],
  ["SELECT * FROM t WHERE id = ANY('{1,2}')", true],
  [`SELECT * FROM t WHERE id IN (${"$1, ".repeat(20_000)}$1)`, true],
  [`SELECT * FROM t WHERE id IN (${"$1::int, ".repeat(20_000)}$1)`, true],
  [`SELECT * FROM t WHERE id = ANY (ARRAY[${"'a', ".repeat(20_000)}'b'])`, true],
  ["SELECT * FROM t WHERE id = ANY (ARRAY[1, 2])", true],
  ["SELECT * FROM t WHERE id IN (1)", false],
  ["SELECT * FROM t WHERE id IN ($1)", false],
  ["SELECT * FROM t WHERE id IN (SELECT id FROM u)", false],
  ["SELECT * FROM t WHERE id = $1", false],
  ["SELECT any FROM t", false],
])("%.70s asks for several values: %s", (text, batch) => {
  expect(analyzeQuery(text, "postgresql").batch).toBe(batch);
});
