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
  ["SELECT * FROM t JOIN unnest($1::int[]) AS k(id) USING (id)", "array"],
  ["SELECT * FROM t WHERE id IN (SELECT unnest($1))", "array"],
  ["SELECT * FROM t JOIN json_to_recordset($1) AS k(id int) USING (id)", "array"],
  ["SELECT * FROM t JOIN JSON_TABLE($1, '$[*]' COLUMNS (id int PATH '$')) AS k USING (id)", "array"],
  ["SELECT * FROM t WHERE id IN (SELECT jsonb_array_elements_text($1)::int)", "array"],
  ["SELECT * FROM t JOIN (VALUES ($1), ($2)) AS k(id) USING (id)", true],
  ["SELECT tag FROM t, unnest(tags) AS tag WHERE id = $1", false],
])("%.70s asks for several values: %s", (text, batch) => {
  expect(analyzeQuery(text, "postgresql").batch).toBe(batch);
});
