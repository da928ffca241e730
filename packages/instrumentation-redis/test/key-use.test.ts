import { addListener, type DatabaseTemplate, startDatabaseOperation } from "@telltale/core";
import { expect, test } from "vitest";
import { factsOf } from "../src/commands.js";
import { tellKeys } from "../src/key-use.js";

const template: DatabaseTemplate = {
  system: "redis",
  namespace: "0",
  operationName: "GET",
  collection: undefined,
  querySummary: "GET",
  queryText: "GET",
  fingerprint: "GET",
  effect: "read",
  serverAddress: undefined,
  serverPort: undefined,
  poolName: undefined,
  slots: [],
};

const bytes = (text: string) => Buffer.from(text);

test.each<[command: string, args: (string | Buffer)[], reply: unknown, told: string[]]>([
  ["get", ["a:1"], bytes("v"), ["a:1 hit"]],
  ["get", [bytes("a:1")], null, ["a:1 miss"]],
  ["mget", ["a:1", "b:2"], [null, bytes("")], ["a:1 miss", "b:2 hit"]],
  ["mget", ["a:1"], "unexpected", []],
  ["hget", ["a:1", "f"], null, ["a:1 miss"]],
  ["hmget", ["a:1", "f", "g"], [null, bytes("v")], ["a:1 hit"]],
  ["hgetall", ["a:1"], [], ["a:1 miss"]],
  ["set", ["a:1", "v"], "OK", ["a:1 write"]],
  ["set", ["a:1", "v", "EX", "60"], "OK", ["a:1 write"]],
  ["set", ["a:1", "v", "PX", "60", "nx"], "OK", ["a:1 use"]],
  ["set", ["a:1", "v", "get"], null, ["a:1 use"]],
  ["setex", ["a:1", "60", "v"], "OK", ["a:1 write"]],
  ["mset", ["a:1", "v", "b:2", "v"], "OK", ["a:1 write", "b:2 write"]],
  ["hset", ["a:1", "f", "v"], 1, ["a:1 write"]],
  ["setnx", ["a:1", "v"], 1, ["a:1 use"]],
  ["incr", ["a:1"], 1, ["a:1 use"]],
  ["lpush", ["a:1", "v"], 1, ["a:1 use"]],
  ["exists", ["a:1"], 1, ["a:1 use"]],
  ["eval", ["return 1", "1", "a:1"], 1, ["a:1 use"]],
  ["lrange", ["a:1", "0", "9"], [], ["a:1 use"]],
  ["del", ["a:1"], 1, []],
  ["expire", ["a:1", "60"], 1, []],
])("%s %j answered %j", (command, args, reply, expected) => {
  const told: string[] = [];
  const stop = addListener({ name: "test", keyUsed: (_, key, use) => void told.push(`${key} ${use}`) });
  const operation = startDatabaseOperation(template, undefined, args);
  tellKeys(operation, factsOf(command), args, "a", reply);
  stop();
  expect(told).toEqual(expected);
});
