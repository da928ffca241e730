import { anything, array, assert, property } from "fast-check";
import { expect, test } from "vitest";
import { bindsOneKey, hashOthers, hashParameters } from "../src/parameters.js";

class Secret {
  readonly #value: number;
  constructor(value: number) {
    this.#value = value;
  }
  toPostgres(): string {
    return `${this.#value}`;
  }
}

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
  ["fields", [{ id: 1 }], [{ id: 2 }]],
  ["fields of fields", [{ of: [{ id: 1 }] }], [{ of: [{ id: 2 }] }]],
  ["names of fields", [{ a: 1 }], [{ b: 1 }]],
  ["objects of a class", [new Secret(1)], [new Secret(2)]],
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

test("objects with the same fields are equal, and an object of a class is equal to itself", () => {
  expect(hashParameters([{ id: 1, tags: ["a"] }])).toBe(hashParameters([{ id: 1, tags: ["a"] }]));
  const secret = new Secret(1);
  expect(hashParameters([secret])).toBe(hashParameters([secret]));
});

test("proxies, getters, circles and functions run none of the app's code", () => {
  const asked: PropertyKey[] = [];
  const watched = new Proxy([1], { get: (target, key, proxy) => asked.push(key) && Reflect.get(target, key, proxy) });
  const { proxy: revoked, revoke } = Proxy.revocable([1], {});
  revoke();
  const getter = {
    get id(): number {
      return asked.push("id");
    },
  };
  const circle: unknown[] = [];
  circle.push(circle, { circle });
  const call = Object.assign(() => {}, { toString: () => String(asked.push("toString")) });
  const date = Object.assign(new Date(0), { getTime: () => asked.push("getTime") });
  for (const value of [
    watched,
    revoked,
    [watched],
    [revoked],
    [getter],
    circle,
    [call],
    [date],
    [Object.create(Date.prototype)],
  ]) {
    expect(hashParameters(value)).toBe(hashParameters(value));
    expect(hashOthers(value, new Set([1]))).toBe(hashOthers(value, new Set([1])));
    expect(() => bindsOneKey(value)).not.toThrow();
  }
  expect(asked).toEqual([]);
});

test("lists in lists in lists take no longer than they are worth", () => {
  let value: unknown = 1;
  for (let depth = 0; depth < 8; depth++) value = Array.from({ length: 20 }, () => value);
  const from = performance.now();
  hashParameters([value]);
  // All 20^8 of them would take minutes.
  expect(performance.now() - from).toBeLessThan(1_000);
});
