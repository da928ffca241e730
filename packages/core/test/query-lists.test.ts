import * as fc from "fast-check";
import { expect, test } from "vitest";
import { analyzeQuery } from "../src/index.js";

test.each([
  ["INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (?, ?), ..."],
  ["INSERT INTO t VALUES ($1, $2), ($3, $4), ($5, $6)", "INSERT INTO t VALUES ($1, $2), ..."],
  ["INSERT INTO t VALUES (1, now()), (2, now()) RETURNING id", "INSERT INTO t VALUES (?, now()), ... RETURNING id"],
  ["INSERT INTO t VALUES (1), (2) ON CONFLICT DO NOTHING;", "INSERT INTO t VALUES (?), ... ON CONFLICT DO NOTHING"],
  ["VALUES (1, DEFAULT), (2, DEFAULT), (DEFAULT, 3)", "VALUES (?, DEFAULT), ..., (DEFAULT, ?)"],
  ["VALUES (1), (2), (DEFAULT)", "VALUES (?), ..., (DEFAULT)"],
  ["VALUES (1), (2, 3)", "VALUES (?), (?, ?)"],
  ["VALUES (1), (f(2))", "VALUES (?), (f(?))"],
  ["VALUES ((SELECT 1)), ((SELECT 2))", "VALUES ((SELECT ?)), ((SELECT ?))"],
  ["SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (a, b), t", "SELECT * FROM (VALUES (?, ?), ...) AS v (a, b), t"],
  ["SELECT * FROM t WHERE a IN (1, 2) AND b IN (NULL, -1.5, TRUE)", "SELECT * FROM t WHERE a IN (?) AND b IN (?)"],
  ["SELECT * FROM t WHERE a IN (1, b)", "SELECT * FROM t WHERE a IN (?, b)"],
  ["SELECT * FROM t WHERE a IN (1, 2 + 3)", "SELECT * FROM t WHERE a IN (?, ? + ?)"],
])("%s is %s", (text, queryText) => {
  expect(analyzeQuery(text, "postgresql").queryText).toBe(queryText);
});

test("tables in later rows of VALUES are found", () => {
  expect(analyzeQuery("INSERT INTO t VALUES (1), ((SELECT max(a) FROM u))", "postgresql").summary).toBe(
    "INSERT t SELECT u",
  );
});

// A comment hinders the short way, and nothing else.
const item = fc.constantFrom(
  "1",
  "-2.5",
  "'a'",
  "'it''s'",
  "''",
  "NULL",
  "true",
  "$1",
  "$23",
  "DEFAULT",
  "a",
  "'a'::text",
  "date 'b'",
  "f(1)",
  "1 + 1",
  "nullif",
  "1e5",
  "E'\\''",
  "$$x$$",
  ".5",
);
const row = fc.array(item, { minLength: 1, maxLength: 3 });
const space = fc.constantFrom("", " ", "\n\t");
test("lists are the same with and without the short way", () => {
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 4 }),
      space,
      fc.constantFrom("VALUES", "IN", "ARRAY"),
      fc.nat(200),
      (list, gap, kind, cut) => {
        const write = (between: string): string => {
          const comma = `${between},${between}`;
          if (kind === "VALUES")
            return `INSERT INTO t VALUES ${list.map((items) => `(${between}${items.join(comma)})`).join(comma)} RETURNING a`;
          const items = list.flat().join(comma);
          return kind === "IN"
            ? `SELECT a FROM t WHERE b IN (${between}${items}) AND c`
            : `SELECT ARRAY[${between}${items}] FROM t`;
        };
        const plain = write(gap);
        expect(analyzeQuery(plain, "postgresql").fingerprint).toBe(
          analyzeQuery(write("/**/"), "postgresql").fingerprint,
        );
        expect(() => analyzeQuery(plain.slice(0, cut), "postgresql")).not.toThrow();
      },
    ),
    { numRuns: 3_000 },
  );
});

test("a long text is cut at 10,000 characters, in no character", () => {
  for (const name of ["😀".repeat(30), `x${"😀".repeat(30)}`]) {
    const { queryText, isCut } = analyzeQuery(`SELECT ${`"${name}", `.repeat(400)}1`, "postgresql");
    expect(isCut).toBe(true);
    expect(queryText.length).toBeGreaterThan(9_990);
    expect(queryText.length).toBeLessThanOrEqual(10_000);
    expect(queryText).toMatch(/ …$/);
    expect(queryText.isWellFormed()).toBe(true);
  }
  const whole = analyzeQuery(`SELECT "${"x".repeat(9_991)}"`, "postgresql");
  expect(whole).toMatchObject({ isCut: false, queryText: expect.stringMatching(/^.{10000}$/) });
});
