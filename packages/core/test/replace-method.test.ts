import { expect, test } from "vitest";
import { replaceMethod } from "../src/index.js";

type Say = (this: unknown, ...words: string[]) => string;

/** Has a method of its own, a listed one and an inherited one. */
class Base {
  inherited(one: string, two: string): string {
    return `base ${one} ${two}`;
  }
}
function makeOwner(): Record<string, Say> {
  class Owner extends Base {
    hidden(one: string): string {
      return `own ${one}`;
    }
  }
  Object.assign(Owner.prototype, { listed: (one: string) => `listed ${one}` });
  return Owner.prototype as unknown as Record<string, Say>;
}
const loudly = (find: () => Say) =>
  function replacement(this: unknown, ...words: string[]) {
    return `${Reflect.apply(find(), this, words)}!`;
  };
const seen = (owner: object, name: string) => {
  const { value, ...flags } = Object.getOwnPropertyDescriptor(owner, name) ?? {};
  const { name: called, length } = value as Say;
  return { called, length, ...flags };
};

test.each(["hidden", "listed"])("a method %s is replaced under the same name, length and attributes", (name) => {
  const owner = makeOwner();
  const before = seen(owner, name);
  const original = owner[name];
  const undo = replaceMethod<Say>(owner, name, loudly);
  expect(seen(owner, name)).toEqual(before);
  expect(owner[name]?.("a")).toMatch(/ a!$/);
  undo();
  expect(owner[name]).toBe(original);
  expect(seen(owner, name)).toEqual(before);
});

test("one that is inherited follows what others make of the ancestor's, and leaves nothing behind", () => {
  const owner = makeOwner();
  const before = seen(Base.prototype, "inherited");
  const undo = replaceMethod<Say>(owner, "inherited", loudly);
  expect(seen(owner, "inherited")).toEqual(before);
  expect(owner["inherited"]?.("a", "b")).toBe("base a b!");
  const undoAncestor = replaceMethod<Say>(Base.prototype, "inherited", () => () => "patched later");
  expect(owner["inherited"]?.("a", "b")).toBe("patched later!");
  undoAncestor();
  undo();
  expect(Object.hasOwn(owner, "inherited")).toBe(false);
  expect(owner["inherited"]?.("a", "b")).toBe("base a b");
});

test("where somebody has wrapped ours, it stays below theirs", () => {
  const owner = makeOwner();
  const undo = replaceMethod<Say>(owner, "hidden", loudly);
  const ours = owner["hidden"] as Say;
  const theirs: Say = (...words) => `<${ours(...words)}>`;
  owner["hidden"] = theirs;
  undo();
  expect(owner["hidden"]).toBe(theirs);
  expect(owner["hidden"]?.("a")).toBe("<own a!>");
});

test.each([
  ["is missing", {}],
  ["is no method", { say: 1 }],
])("one that %s is told, and nothing is changed", (_, owner: object) => {
  const before = Object.getOwnPropertyDescriptors(owner);
  expect(() => replaceMethod<Say>(owner, "say", loudly)).toThrow(/expected a method say/);
  expect(Object.getOwnPropertyDescriptors(owner)).toEqual(before);
});
