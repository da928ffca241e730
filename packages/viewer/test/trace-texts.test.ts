import { expect, test } from "vitest";
import type { TraceSpan } from "../src/api/answers.js";
import { makeSpanSearch, nextMatch } from "../web/pages/trace/find-spans.js";
import { markServices } from "../web/pages/trace/mark-services.js";
import { nameSpan } from "../web/pages/trace/name-span.js";
import { showLine, showLines } from "../web/show-text.js";
import { makeSpan } from "./make-span.js";

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

test("a span is called by what its query asks, or by its route", () => {
  const named = (name: string, attributes: TraceSpan["attributes"]) => nameSpan({ name, attributes });
  expect(named("SELECT", { "db.query.summary": "SELECT orders" })).toBe("SELECT orders");
  expect(named("GET", { "http.route": "/orders" })).toBe("GET /orders");
  expect(named("GET /orders", { "http.route": "/orders" })).toBe("GET /orders");
  expect(named("", { "http.route": 7, "db.query.summary": ["x"] })).toBe("(no name)");
});
