import { describe, expect, test } from "vitest";
import { askedFor, found, isLookup, lookupKindOf, tallyByCache } from "../src/lookup.js";

const bytes = (text: string) => Buffer.from(text);

describe("what a lookup found", () => {
  const cases: [command: string, args: (string | Buffer)[], reply: unknown, hits: number, misses: number][] = [
    ["get", ["k"], bytes("v"), 1, 0],
    ["get", ["k"], bytes(""), 1, 0],
    ["get", ["k"], null, 0, 1],
    ["getex", ["k", "EX", "5"], bytes("v"), 1, 0],
    ["getex", ["k"], null, 0, 1],
    ["getdel", ["k"], bytes("v"), 1, 0],
    ["getdel", ["k"], null, 0, 1],
    ["hget", ["k", "f"], bytes(""), 1, 0],
    ["hget", ["k", "f"], null, 0, 1],
    ["json.get", ["k"], bytes("{}"), 1, 0],
    ["json.get", ["k"], null, 0, 1],
    ["mget", ["a", "b", "c"], [null, bytes("v"), null], 1, 2],
    ["mget", ["a", "b"], [bytes(""), bytes("")], 2, 0],
    ["hmget", ["k", "f", "g", "h"], [bytes("1"), null, bytes("")], 2, 1],
    ["hmget", ["k", "f"], [null], 0, 1],
    ["hgetall", ["k"], [], 0, 1],
    ["hgetall", ["k"], [bytes("f"), bytes("v")], 1, 0],
    ["hgetall", ["k"], {}, 0, 1],
    ["hgetall", ["k"], Object.create(null), 0, 1],
    ["hgetall", ["k"], { f: bytes("v") }, 1, 0],
    ["hgetall", ["k"], new Map(), 0, 1],
    ["hgetall", ["k"], new Map([["f", "v"]]), 1, 0],
    ["smembers", ["k"], [], 0, 1],
    ["smembers", ["k"], [bytes("a")], 1, 0],
    ["smembers", ["k"], new Set(), 0, 1],
    ["smembers", ["k"], new Set(["a"]), 1, 0],
    ["lrange", ["k", "0", "-1"], [], 0, 1],
    ["lrange", ["k", "0", "-1"], [bytes("a")], 1, 0],
    ["lrange", ["k", bytes("0"), bytes("-1")], [], 0, 1],
    ["zrange", ["k", "0", "-1"], [], 0, 1],
    ["zrange", ["k", "0", "-1", "WITHSCORES"], [bytes("a"), bytes("1")], 1, 0],
    ["zrange", ["k", "0", "-1", "rev", "withscores"], [[bytes("a"), 1]], 1, 0],
    ["zrevrange", ["k", "0", "-1"], [], 0, 1],
  ];
  test.each(cases)("%s %j answered %j: %i hits, %i misses", (command, args, reply, hits, misses) => {
    const kind = lookupKindOf(command);
    if (kind === undefined) throw new Error("not a lookup");
    expect(isLookup(kind, args)).toBe(true);
    expect(found(kind, reply)).toBe(hits);
    expect(askedFor(kind, args)).toBe(hits + misses);
  });

  test("a reply that is not of the command's shape is no lookup", () => {
    expect(found("keys", "OK")).toBe(-1);
    expect(found("fields", null)).toBe(-1);
  });
});

describe("what is no lookup", () => {
  const names = "exists ttl pttl sismember eval evalsha set setnx getset del hset strlen hkeys hvals getrange".split(
    " ",
  );
  test.each(names)("%s", (name) => expect(lookupKindOf(name)).toBeUndefined());

  const parts: [command: string, args: string[]][] = [
    ["lrange", ["k", "0", "9"]],
    ["lrange", ["k", "1", "-1"]],
    ["zrange", ["k", "0", "10"]],
    ["zrange", ["k", "0", "-1", "BYSCORE"]],
    ["zrange", ["k", "0", "-1", "BYLEX", "LIMIT", "0", "1"]],
  ];
  test.each([
    ["get", []],
    ["mget", []],
    ["hmget", ["k"]],
    ["lrange", []],
  ] as [string, string[]][])("%s %j, which the server refuses", (command, args) => {
    expect(isLookup(lookupKindOf(command) ?? "value", args)).toBe(false);
  });
  test.each(parts)("%s %j, a part", (command, args) => {
    expect(isLookup(lookupKindOf(command) ?? "value", args)).toBe(false);
  });
});

test("an MGET over several caches is told apart by key", () => {
  const cacheOf = (key: string) => key.slice(0, 1);
  const args = ["a1", "b1", Buffer.from("a2"), "b2", "a3"];
  expect(tallyByCache(args, [bytes("v"), null, null, null, bytes("")], cacheOf)).toEqual(
    new Map([
      ["a", { hits: 2, misses: 1 }],
      ["b", { hits: 0, misses: 2 }],
    ]),
  );
  expect(tallyByCache(args, undefined, cacheOf)).toEqual(
    new Map([
      ["a", { hits: 0, misses: 3 }],
      ["b", { hits: 0, misses: 2 }],
    ]),
  );
});
