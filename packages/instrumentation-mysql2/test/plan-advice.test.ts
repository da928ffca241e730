import { expect, test } from "vitest";
import type { TableFacts } from "../src/explain-catalog.js";
import { readStrictly } from "../src/explain-tokens.js";
import { advise, type Explained } from "../src/plan-advice.js";
import { readComparison, readEquality, readSortKeys, splitConjunction } from "../src/plan-condition.js";
import { readPlan } from "../src/plan-node.js";
import { writePlan } from "../src/plan-text.js";

test.each<[condition: string, comparisons: (string | undefined)[]]>([
  ["o.a = 7", ["o.a = number"]],
  ["`o`.`a b` = '7'", ["o.a b ="]],
  ["((`shop`.`o`.`a` = 7) and (`shop`.`o`.`b` > '2026-01-01'))", ["o.a = number", "o.b <"]],
  ["o.a = 7 and o.b between 1 and 2 and o.c is null", ["o.a = number", "o.b < number", "o.c ="]],
  ["o.a in (1,2,-3) and o.b <=> 'x'", ["o.a = number", "o.b ="]],
  ["o.a = <cache>(cast('2026-01-01' as date))", ["o.a ="]],
  ["o.a >= TIMESTAMP'2026-01-01 00:00:00'", ["o.a <"]],
  ["o.a = _utf8mb4'x'", ["o.a ="]],
  ["o.a = 7 or o.b = 8", []],
  ["o.a = 7 and (o.b = 8 or o.c = 9)", ["o.a = number", undefined]],
  ["o.a = (subquery#2) or o.b = 3", []],
  ["o.a + 1 = 7", [undefined]],
  ["lcase(o.a) = 'x'", [undefined]],
  ["o.a = o.b", [undefined]],
  ["o.a = o.b + 1", [undefined]],
  ["o.a <> 7", [undefined]],
  ["o.a like 'x%'", [undefined]],
  ["o.a is not null", [undefined]],
  ["'o.a = 7 or o.b'", [undefined]],
  ["o.a = 'it\\'s or o.b = 3'", ["o.a ="]],
  ["o.a =", [undefined]],
  ["o.a = 'open", []],
])("the comparisons of %s", (condition, comparisons) => {
  const found = splitConjunction(condition).map((part) => {
    const one = readComparison(part);
    return one && `${one.alias}.${one.column} ${one.isEqual ? "=" : "<"}${one.isNumeric ? " number" : ""}`;
  });
  expect(found).toEqual(comparisons);
});

test("equalities of columns, and sort keys", () => {
  const [part = []] = splitConjunction("(`shop`.`b`.`x` = `shop`.`a`.`y`)");
  expect(readEquality(part)).toEqual([
    { alias: "b", column: "x" },
    { alias: "a", column: "y" },
  ]);
  expect(readEquality(splitConjunction("b.x = a.y + 1")[0] ?? [])).toBeUndefined();
  expect(readSortKeys("o.a desc, o.`b c`")).toEqual([
    { alias: "o", column: "a", isDown: true },
    { alias: "o", column: "b c", isDown: false },
  ]);
  expect(readSortKeys("o.a + 1")).toBeUndefined();
  expect(readSortKeys("count(0)")).toBeUndefined();
});

const ORDERS: TableFacts = {
  schema: "shop",
  name: "orders",
  rowLength: 100,
  columns: new Map([
    ["id", "int"],
    ["customer_id", "int"],
    ["note", "text"],
    ["email", "varchar"],
  ]),
  indexes: [["id"], ["email", "id"]],
};

/** A plan as MySQL 8 writes it, by its manual: https://dev.mysql.com/doc/refman/8.4/en/explain-output.html */
const mysqlPlan = (condition: string, more: object = {}): string =>
  JSON.stringify({
    query_block: {
      select_id: 1,
      cost_info: { query_cost: "5011.00" },
      table: {
        table_name: "o",
        access_type: "ALL",
        rows_examined_per_scan: 49_000,
        rows_produced_per_join: 490,
        filtered: "100.00",
        attached_condition: condition,
        used_columns: ["id"],
        ...more,
      },
    },
  });

const explained = (plan: string, text: string, more: Partial<Explained> = {}): Explained => ({
  plan: readPlan(plan),
  tables: [{ alias: "o", facts: ORDERS }],
  tokens: readStrictly(text) ?? [],
  rows: 10,
  sortBuffer: 2 * 1024 ** 2,
  database: "shop",
  ...more,
});

const SELECT = "SELECT id FROM orders o";
test.each<[name: string, given: Explained, index: string | undefined]>([
  ["few rows of many", explained(mysqlPlan("(`shop`.`o`.`customer_id` = 7)"), SELECT), "orders (customer_id)"],
  [
    "of another database",
    explained(mysqlPlan("(`shop`.`o`.`customer_id` = 7)"), "SELECT 1", { database: "other" }),
    "shop.orders (customer_id)",
  ],
  ["many rows", explained(mysqlPlan("(`shop`.`o`.`customer_id` = 7)"), "SELECT 1", { rows: 5_000 }), undefined],
  ["nobody knows how many", explained(mysqlPlan("(`o`.`customer_id` = 7)"), "SELECT count(*)"), undefined],
  ["cut off", explained(mysqlPlan("(`o`.`customer_id` = 7)"), "SELECT id LIMIT 10"), undefined],
  ["not cut off", explained(mysqlPlan("(`o`.`customer_id` = 7)"), "SELECT id LIMIT 11"), "orders (customer_id)"],
  [
    "a guess of the server's",
    explained(mysqlPlan("(`o`.`customer_id` = 7)", { filtered: "1.00" }), "SELECT count(*)"),
    undefined,
  ],
  [
    "known to MariaDB",
    explained(
      mysqlPlan("o.customer_id = 7", { rows_examined_per_scan: undefined, rows: 49_000, filtered: 1 }),
      "SELECT count(*)",
    ),
    "orders (customer_id)",
  ],
  ["no key type", explained(mysqlPlan("(`o`.`note` = 'x')"), "SELECT 1"), undefined],
  ["a text as a number", explained(mysqlPlan("(`o`.`email` = 7)"), "SELECT 1"), undefined],
  ["an index that is there", explained(mysqlPlan("(`o`.`email` = 'x')"), "SELECT 1"), undefined],
  ["a table nobody knows", explained(mysqlPlan("(`o`.`customer_id` = 7)", { table_name: "p" }), "SELECT 1"), undefined],
])("the index to try: %s", (_, given, index) => {
  expect(advise(given).map((one) => one.index)).toEqual(index === undefined ? [] : [index]);
});

test("a plan is told in lines, without literals", () => {
  expect(writePlan(readPlan(mysqlPlan("(`o`.`email` = 'secret')")))).toBe(
    "o  (ALL rows=49000 filtered=100%)\n     where (`o`.`email` = ?)",
  );
  const nothing = JSON.stringify({ query_block: { table: { message: "No tables used" } } });
  expect(writePlan(readPlan(nothing))).toBe("No tables used");
  const many = { query_block: { nested_loop: Array.from({ length: 500 }, () => ({ table: { table_name: "long" } })) } };
  expect(writePlan(readPlan(JSON.stringify(many))).length).toBeLessThanOrEqual(4_000);
  expect(() => readPlan("{}")).toThrow(TypeError);
});
