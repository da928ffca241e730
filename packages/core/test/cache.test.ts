import { afterEach, describe, expect, test } from "vitest";
import { cacheNameOf, nameCaches, reportLookup } from "../src/cache.js";
import { addListener } from "../src/listeners.js";
import { selfCounters } from "../src/self.js";

afterEach(() => nameCaches({}));

describe("the cache of a key", () => {
  test.each([
    ["user:17", "user"],
    ["user:17:profile", "user"],
    ["user_sessions:abc", "user_sessions"],
    ["v2:thing", "v2"],
    ["plain", "other"],
    [":17", "other"],
    ["", "other"],
    ["17:user", "other"],
    ["u12345:x", "other"],
    ["5f3a9c1e7b2d:x", "other"],
    ["deadbeefcafe:x", "other"],
    ["a@b.example:x", "other"],
    ["user name:x", "other"],
    ["a".repeat(33) + ":x", "other"],
    ["{tag}:x", "other"],
  ])("%j is %s", (key, name) => {
    expect(cacheNameOf(key)).toBe(name);
  });

  test("the user's patterns win, the first that matches", () => {
    nameCaches({ "user:*:profile": "profiles", "user:*": "users", "a.c": "literal" });
    expect(cacheNameOf("user:17:profile")).toBe("profiles");
    expect(cacheNameOf("user:17")).toBe("users");
    expect(cacheNameOf("a.c")).toBe("literal");
    expect(cacheNameOf("abc")).toBe("other");
  });
});

test("at most 50 caches, then other; what was refused is counted", () => {
  const names = new Set<string>();
  const stop = addListener({ name: "test", cacheLooked: ({ cache }) => names.add(cache) });
  for (let n = 0; n < 60; n++) reportLookup(`cache-${n}`, "hit");
  stop();
  expect(names.size).toBe(51);
  expect(names).toContain("other");
  const overflow = [...selfCounters()].find(({ value }) => value === "telltale.cache.name");
  expect(overflow).toMatchObject({ metric: "telltale.labels.overflow", total: 10 });
});

test("what is no number of keys is left out", () => {
  const heard: unknown[] = [];
  const stop = addListener({
    name: "test",
    cacheLooked: ({ keys }) => heard.push(keys),
    keyUsed: (_cache, _key, _use, keys) => heard.push(keys),
  });
  for (const keys of [NaN, Infinity, -2, 0.5, 2 ** 53, "3", null, {}, 3n]) reportLookup("other", "hit", keys as number);
  reportLookup("other", "hit", 0);
  reportLookup("other", "hit", 2);
  stop();
  expect(heard).toEqual([0, 0, 2, 2]);
});

test("segments judged beyond the first 1,000 are judged each time, and counted", () => {
  const unkept = () =>
    [...selfCounters()].find(
      ({ metric, value }) => metric === "telltale.limits.reached" && value === "cache.key_segments",
    );
  for (let n = 0; n < 1_000; n++) cacheNameOf(`seg${n}x:1`);
  const before = unkept()?.total ?? 0;
  for (let n = 0; n < 10; n++) expect(cacheNameOf(`more${n}:1`)).toBe(`more${n}`);
  expect((unkept()?.total ?? 0) - before).toBe(10);
});
