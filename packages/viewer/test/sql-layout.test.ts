import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { layOutSql, type Line } from "../web/sql-layout.js";

const write = (lines: readonly Line[] | undefined): string[] | undefined =>
  lines?.map(
    ({ indent, tokens }) =>
      "  ".repeat(indent) + tokens.map(({ isApart, text }, i) => (i > 0 && isApart ? " " : "") + text).join(""),
  );

describe("layOutSql", () => {
  it("gives each clause and condition its line", () => {
    const text =
      "select a.b, count(*) from a left join c on c.id = a.id and c.x where a.d = $1 or a.e = ? order by 1 limit 5";
    expect(write(layOutSql(text))).toEqual([
      "select a.b, count(*)",
      "from a",
      "left join c on c.id = a.id",
      "  and c.x",
      "where a.d = $1",
      "  or a.e = ?",
      "order by 1",
      "limit 5",
    ]);
  });

  it("indents a query within the query, and goes on outside of it as before", () => {
    expect(write(layOutSql("DELETE FROM a WHERE b IN (SELECT c FROM d WHERE e) AND f = 1"))).toEqual([
      "DELETE FROM a",
      "WHERE b IN (",
      "  SELECT c",
      "  FROM d",
      "  WHERE e",
      ")",
      "  AND f = 1",
    ]);
  });

  it("leaves together what belongs together", () => {
    const text = "UPDATE a SET x = extract(year from b) WHERE c BETWEEN 1 AND 2 AND left(d, 3) = 'from x' FOR UPDATE";
    expect(write(layOutSql(text))).toEqual([
      "UPDATE a",
      "SET x = extract(year from b)",
      "WHERE c BETWEEN 1 AND 2",
      "  AND left(d, 3) = 'from x'",
      "FOR UPDATE",
    ]);
    expect(write(layOutSql("insert into a (b) values (?) on conflict (b) do update set b = 2"))).toEqual([
      "insert into a (b)",
      "values (?)",
      "on conflict (b) do update set b = 2",
    ]);
  });

  it("ends a line after a comment, which would take in the rest", () => {
    expect(write(layOutSql("SELECT 1 -- one\n + 2"))).toEqual(["SELECT 1 -- one", "+ 2"]);
  });

  it("wraps a wide clause after commas, but not those inside of a call", () => {
    const names = Array.from({ length: 30 }, (_, i) => `f(c${i}, d${i})`);
    const lines = write(layOutSql(`SELECT ${names.join(", ")} FROM t`)) ?? [];
    expect(lines.length).toBeGreaterThan(3);
    expect(lines.every((line) => line.length <= 100)).toBe(true);
    expect(lines.slice(0, -2).every((line) => line.endsWith("),"))).toBe(true);
  });

  it("is not for what is no SQL, or too long to read", () => {
    expect(layOutSql("GET user:?")).toBeUndefined();
    expect(layOutSql('{"find": "users"}')).toBeUndefined();
    expect(layOutSql("")).toBeUndefined();
    expect(layOutSql(`SELECT ${"1,".repeat(20_000)}1`)).toBeUndefined();
  });

  it("changes nothing but white space, whatever comes", () => {
    const word = fc.constantFrom(
      "select",
      "from",
      "(",
      ")",
      "and",
      "join",
      "left",
      "'a",
      "''",
      '"',
      "--",
      "\n",
      "/*",
      "*/",
      "$1",
      ",",
      "between",
      "é",
      "with",
      ";",
    );
    const piece = fc.oneof(
      { weight: 4, arbitrary: word },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 5 }) },
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom(" ", ""), (pieces, between) => {
        const text = `SELECT ${pieces.join(between)}`;
        const shown = (write(layOutSql(text)) ?? []).join("\n");
        expect(shown.replaceAll(/\s/g, "")).toBe(text.replaceAll(/\s/g, ""));
      }),
      { numRuns: 100 },
    );
  });

  it("is quick with brackets that nobody closes", () => {
    const start = performance.now();
    for (const text of ["(SELECT ".repeat(2500), "SELECT".concat(" (".repeat(9000)), `SELECT ${"'".repeat(19_000)}`]) {
      expect(layOutSql(text)?.every(({ indent }) => indent <= 12)).toBe(true);
    }
    expect(performance.now() - start).toBeLessThan(500);
  });
});
