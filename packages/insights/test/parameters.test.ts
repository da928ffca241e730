import { anything, array, assert, property } from "fast-check";
import { expect, test } from "vitest";
import { hashParameters } from "../src/parameters.js";

test.each<[string, unknown[], unknown[]]>([
  ["numbers", [1], [2]],
  ["a number and its text", [1], ["1"]],
  ["texts", ["a"], ["b"]],
  ["order", [1, 2], [2, 1]],
  ["count", [1], [1, undefined]],
  ["null and undefined", [null], [undefined]],
  ["bytes", [Buffer.from("a")], [Buffer.from("b")]],
  ["dates", [new Date(1)], [new Date(2)]],
  ["lists", [[1, 2]], [[1, 3]]],
  ["a list and its items", [[1, 2]], [1, 2]],
  ["bigints", [1n], [2n]],
])("%s differ", (_, a, b) => {
  expect(hashParameters(a)).not.toBe(hashParameters(b));
});

test("equal parameters are equal, none runs the app's code, and nothing throws", () => {
  assert(
    property(array(anything({ withBigInt: true, withTypedArray: true, withDate: true })), (values) => {
      expect(hashParameters(values)).toBe(hashParameters([...values]));
    }),
  );
  const hostile = {
    toString: () => {
      throw new Error("looked inside");
    },
    toPostgres: () => {
      throw new Error("looked inside");
    },
  };
  expect(() => hashParameters([hostile, [hostile], Symbol("s")])).not.toThrow();
});
