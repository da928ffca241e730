import { selfCounters } from "@telltale/core";
import { expect, test } from "vitest";
import { findTarget } from "../src/target.js";
import { shapeOf } from "../src/templates.js";

const reached = () =>
  Object.fromEntries(
    [...selfCounters()]
      .filter(({ value, total }) => value.startsWith("redis.") && total > 0)
      .map(({ value, total }) => [value, total]),
  );

test("a program that makes up servers or command names is bounded, and what is refused is counted", () => {
  const names = Array.from({ length: 1_003 }, (_, n) => `made.up.${n}`);
  const targets = names.map((name) => findTarget("ioredis", name, 6379, 0));
  expect(names.filter((name, n) => findTarget("ioredis", name, 6379, 0) !== targets[n])).toHaveLength(3);
  const [target = findTarget("ioredis", "one", 6379, 0)] = targets;
  const shapes = names.map((name) => shapeOf(target, name, []));
  expect(names.filter((name, n) => shapeOf(target, name, []) !== shapes[n])).toHaveLength(3);
  // Each of the three was asked for twice. Of names that no table knows, 200 are told.
  expect(reached()).toEqual({ "redis.targets": 6, "redis.command_spellings": 6, "redis.command": 1_003 - 200 + 3 });
});
