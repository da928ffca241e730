import { selfCounters } from "@telltale/core";
import { describe, expect, test } from "vitest";
import { KeyPatterns } from "../src/caches/patterns.js";

/** The text of the pattern after keys of many ids have come. */
function textOf(cache: string, key: (n: number) => string): string {
  const patterns = new KeyPatterns();
  for (let n = 0; n < 200; n++) patterns.of(cache, key(n));
  return patterns.of(cache, key(0)).text;
}

describe("what is shown of a key", () => {
  test.each<[string, string, (n: number) => string, string]>([
    ["an id", "product", (n) => `product:${n}`, "product:?"],
    ["a word behind ids", "product", (n) => `product:${n}:details`, "product:?:details"],
    ["words and ids", "shop", (n) => `shop:${n}:cart:${n * 7}:total`, "shop:?:cart:?:total"],
    ["a word that could be a name", "user", () => "user:alice", "user:?"],
    ["names", "chat", (n) => `chat:${n}:${"abcdefghijklmnop"[n % 16]}ob`, "chat:?:?"],
    ["a word behind one id", "user", () => "user:alice:profile", "user:?:?"],
    ["nothing behind the colon", "a", () => "a:", "a:?"],
    ["no word", "doc", (n) => `doc:${n}:5f3a9c1e7b2d`, "doc:?:?"],
    ["a long text", "doc", (n) => `doc:${n}:${"x".repeat(30)}`, "doc:?:?"],
    ["a cache named by the user", "profiles", (n) => `user:${n}:profile`, "profiles"],
    ["a key of no cache", "other", (n) => `${n}`, "other"],
  ])("%s", (_, cache, key, expected) => {
    expect(textOf(cache, key)).toBe(expected);
  });
});

test("keys of one form with different words are followed apart", () => {
  const patterns = new KeyPatterns();
  const details = patterns.of("product", "product:1:details");
  expect(patterns.of("product", "product:2:details")).toBe(details);
  expect(patterns.of("product", "product:2:stock")).not.toBe(details);
  expect(patterns.of("product", "product:2")).not.toBe(details);
});

test("more than a few words in one place are data, also those that came first", () => {
  const patterns = new KeyPatterns();
  const words = ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal", "ida"];
  for (const word of words) for (let n = 0; n < 100; n++) patterns.of("chat", `chat:${n}:${word}`);
  const found = new Set(words.map((word) => patterns.of("chat", `chat:1:${word}`)));
  expect(found.size).toBe(1);
  expect([...found][0]?.text).toBe("chat:?:?");
});

test("at most 1,000 patterns, and 200 caches; what is refused counts for its cache, and what is idle makes room", () => {
  const refused = (): number => [...selfCounters()].find(({ value }) => value === "cache.key_patterns")?.total ?? 0;
  const before = refused();
  const patterns = new KeyPatterns();
  const name = (n: number): string => `c${String.fromCharCode(97 + (n % 26))}${n}`;
  for (let n = 0; n < 100_000; n++) patterns.of(name(n), `${name(n)}:1`);
  expect([...patterns.all()].length).toBeLessThanOrEqual(1_200);
  expect(refused() - before).toBeGreaterThan(90_000);
  expect(patterns.of("late", "late:1").text).toBe("other");
  patterns.makeRoom();
  patterns.makeRoom();
  expect(patterns.of("late", "late:1").text).toBe("late:?");
});
