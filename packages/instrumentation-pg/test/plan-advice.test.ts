import { expect, test } from "vitest";
import type { TableFacts } from "../src/explain-catalog.js";
import { advise } from "../src/plan-advice.js";

const books: TableFacts = {
  schema: "public",
  name: "books",
  isAnalyzed: true,
  pages: 9_000,
  liveRows: 600_000,
  changedRows: 0,
  planRows: 600_000,
  columns: { isbn: "text" },
  indexes: [["id"]],
};

test.each([
  // Of two workers and a leader, who has 0.4 of the time for reading.
  ["2", 1],
  ["10", 4],
  ["1,200", 500],
])("rows are whole: %s of three processes that have %d each", (rows, ofEach) => {
  const cost = { "Plan Width": 10, "Startup Cost": 0, "Total Cost": 1 };
  const scan = {
    ...cost,
    "Node Type": "Seq Scan",
    "Plan Rows": ofEach,
    "Parallel Aware": true,
    Schema: "public",
    "Relation Name": "books",
    Alias: "books",
    Filter: "(books.isbn = $1)",
  };
  const plan = { ...cost, "Node Type": "Gather", "Plan Rows": rows.length, "Workers Planned": 2, Plans: [scan] };
  const [advice] = advise({ plan, tables: [books], workMem: 4_194_304, rows: undefined });
  expect(advice?.text).toBe(
    `All 600,000 rows of books are read for about ${rows}: try CREATE INDEX CONCURRENTLY ON books (isbn).`,
  );
});
