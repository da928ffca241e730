import { expect, test } from "vitest";
import { makeSpanSearch, nextMatch } from "../web/pages/trace/find-spans.js";
import { layOutQuery } from "../web/pages/trace/lay-out-query.js";
import { markServices } from "../web/pages/trace/mark-services.js";
import { showLine, showLines } from "../web/show-text.js";
import { makeSpan } from "./make-span.js";

test("a query is laid out by its clauses", () => {
  expect(
    layOutQuery(
      "select o.id, count(*)   from orders o left join items i on i.order_id = o.id where o.state in (?, ?) and o.at between ? and ? or o.id = ? group by o.id order by 2 desc limit ?",
    ),
  ).toBe(
    [
      "select o.id, count(*)",
      "from orders o",
      "left join items i on i.order_id = o.id",
      "where o.state in (?, ?)",
      "  and o.at between ? and ?",
      "  or o.id = ?",
      "group by o.id",
      "order by 2 desc",
      "limit ?",
    ].join("\n"),
  );
});

test("a subquery is indented; what is quoted stays as it is", () => {
  expect(layOutQuery(`SELECT "from x" FROM a WHERE id IN (SELECT id FROM b WHERE c = 'it''s  where') AND d = ?`)).toBe(
    [
      `SELECT "from x"`,
      "FROM a",
      "WHERE id IN (",
      "  SELECT id",
      "  FROM b",
      "  WHERE c = 'it''s  where'",
      ")",
      "  AND d = ?",
    ].join("\n"),
  );
  expect(layOutQuery("INSERT INTO t (a, b) VALUES (?, ?) RETURNING a")).toBe(
    ["INSERT INTO t (a, b)", "VALUES (?, ?)", "RETURNING a"].join("\n"),
  );
  expect(layOutQuery("SELECT 1 -- from here\nFROM t /* where */ WHERE a = 'open")).toBe(
    ["SELECT 1 -- from here", "FROM t /* where */", "WHERE a = 'open"].join("\n"),
  );
});

test("what is no SQL is left alone, JSON is spread, and nothing is lost", () => {
  expect(layOutQuery("GET user:*")).toBe("GET user:*");
  expect(layOutQuery('{"find":"orders"}')).toBe('{\n  "find": "orders"\n}');
  expect(layOutQuery("{ not JSON")).toBe("{ not JSON");
  const hostile = `SELECT ${"(SELECT ".repeat(2000)}`;
  expect(layOutQuery(hostile).replaceAll(/\s/g, "")).toBe(hostile.replaceAll(" ", ""));
  const long = `SELECT ${"a, ".repeat(10_000)}`;
  expect(layOutQuery(long)).toBe(long.trim());
});

test("spans are found by names, values and events, whatever the case", () => {
  const find = makeSpanSearch([
    makeSpan({ name: "GET /Orders" }),
    makeSpan({ attributes: { "db.query.text": "SELECT * FROM orders" } }),
    makeSpan({ attributes: { tags: ["a", "orders"] } }),
    makeSpan({ events: [{ name: "exception", timeMs: 0, attributes: { message: "no orders" } }] }),
    makeSpan({ name: "other" }),
  ]);
  expect(find("ORDERS")).toEqual([0, 1, 2, 3]);
  expect(find("  ")).toEqual([]);
  expect(find("nowhere")).toEqual([]);
});

test("from one match to the next, and around", () => {
  expect(nextMatch([2, 5, 9], 5, 1)).toBe(9);
  expect(nextMatch([2, 5, 9], 9, 1)).toBe(2);
  expect(nextMatch([2, 5, 9], 5, -1)).toBe(2);
  expect(nextMatch([2, 5, 9], 0, -1)).toBe(9);
  expect(nextMatch([], 0, 1)).toBeUndefined();
});

test("what cannot be seen is written out", () => {
  expect(showLine("user\u202etxt.exe")).toBe("user⟨202E⟩txt.exe");
  expect(showLine("a\u200bb\u0000c\ufeffd\u0007")).toBe("a⟨200B⟩b⟨0000⟩c⟨FEFF⟩d⟨0007⟩");
  expect(showLine("tag\u{e0041} half\ud800")).toBe("tag⟨E0041⟩ half⟨D800⟩");
  expect(showLine(`a${"\u0300".repeat(100)}b`)).toBe(`a${"\u0300".repeat(4)}b`);
  expect(showLine("one\ntwo\tthree")).toBe("one↵two⇥three");
  expect(showLines("one\r\ntwo\u202e")).toBe("one\ntwo⟨202E⟩");
  expect(showLine("⚠️ but a\ufe0f")).toBe("⚠️ but a⟨FE0F⟩");
  expect(showLine("שלום عالم 🛒 ünï")).toBe("שלום عالم 🛒 ünï");
  expect(showLine("<script>alert(1)</script>")).toBe("<script>alert(1)</script>");
  expect(showLine("x".repeat(1e6), 10)).toBe("xxxxxxxxxx…");
});

test("each service has a letter of its own", () => {
  const marks = markServices(["shop", "stock", "payments", "shop", "日本"]);
  expect([...marks].map(([service, { letter }]) => `${service} ${letter}`)).toEqual([
    "shop S",
    "stock T",
    "payments P",
    "日本 A",
  ]);
  const many = markServices(Array.from({ length: 50 }, (_, n) => `service ${n}`));
  expect(many.size).toBe(50);
  expect(new Set([...many.values()].slice(0, 36).map(({ letter }) => letter)).size).toBe(36);
  expect(many.get("service 49")?.letter).toBe("+");
});
