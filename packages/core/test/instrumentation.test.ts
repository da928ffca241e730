import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { defineInstrumentation, type Guard, replaceMethod, setSay } from "../src/index.js";

let folder = "";
const said: string[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-instrumentation-"));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  for (const name of ["tree", "tree-old"]) {
    write(`node_modules/${name}/package.json`, '{"name":"tree","version":"1.0.0"}');
    write(`node_modules/${name}/index.js`, 'exports.Tree = require("./tree");');
    write(`node_modules/${name}/tree.js`, "module.exports = class Tree { grow() { return 1; } };");
  }
});
afterEach(() => {
  said.length = 0;
  setSay(() => {});
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Exports {
  readonly Tree: new () => { grow(): number };
}

test("every copy of a library is patched, and none twice", () => {
  let heard = 0;
  const instrumentation = defineInstrumentation({
    name: "tree",
    modules: [
      {
        module: "tree",
        majors: [1, 1],
        target: (exports) => (exports as Exports).Tree.prototype,
        patch: ({ exports }) =>
          replaceMethod<() => number>((exports as Exports).Tree.prototype, "grow", (find) => {
            const grow = find();
            return function grown(this: unknown) {
              heard++;
              return grow.call(this);
            };
          }),
      },
    ],
  });
  const require = createRequire(join(folder, "app.cjs"));
  const forget = (file: string) => delete require.cache[require.resolve(file)];
  const load = (name: string) => require(name) as Exports;
  const grow = ({ Tree }: Exports) => {
    heard = 0;
    new Tree().grow();
    return heard;
  };

  instrumentation.enable();
  const first = load("tree");
  const alias = load("tree-old");
  forget("tree");
  const sameClass = load("tree");
  forget("tree");
  forget("tree/tree.js");
  const newClass = load("tree");
  expect(sameClass.Tree).toBe(first.Tree);
  expect(newClass.Tree).not.toBe(first.Tree);
  expect([first, alias, sameClass, newClass].map(grow)).toEqual([1, 1, 1, 1]);

  instrumentation.disable();
  expect([first, alias, sameClass, newClass].map(grow)).toEqual([0, 0, 0, 0]);
  instrumentation.enable();
  expect([first, alias, sameClass, newClass].map(grow)).toEqual([1, 1, 1, 1]);
  instrumentation.disable();
});

test("one step of the undoing that throws keeps no other from being taken; it is told, and not thrown", () => {
  setSay((level, line) => void said.push(`${level} ${line}`));
  const undone: string[] = [];
  const require = createRequire(join(folder, "undo.cjs"));
  delete require.cache[require.resolve("tree")];
  const instrumentation = defineInstrumentation({
    name: "tree",
    modules: [
      {
        module: "tree",
        majors: [1, 1],
        patch: () => () => {
          undone.push("patch");
          throw new RangeError("the first to fail");
        },
      },
    ],
    enable: () => () => {
      undone.push("enable");
      throw new RangeError("the second to fail");
    },
  });
  instrumentation.enable();
  require("tree");
  const patched = undone.length;
  instrumentation.disable();
  expect(patched).toBe(0);
  expect(undone.filter((step) => step === "enable")).toEqual(["enable"]);
  expect(undone).toContain("patch");
  expect(undone.at(-1)).toBe("enable");
  expect(said.filter((line) => line.startsWith("error "))).toEqual([expect.stringContaining("the first to fail")]);
  expect(instrumentation.getConfig()).toEqual({ enabled: false });
  instrumentation.disable();
  expect(undone.filter((step) => step === "enable")).toHaveLength(1);
});

test("a part that fails goes off with its third failure, whatever went well between", () => {
  setSay((level, line) => void said.push(`${level} ${line}`));
  let taken: Guard | undefined;
  let undone = 0;
  const instrumentation = defineInstrumentation({
    name: "odd",
    modules: [],
    enable(guard) {
      taken = guard;
      return () => void undone++;
    },
  });
  instrumentation.enable();
  const states = [1, 2, 3, 4].map((n) => {
    taken?.failed(new Error(`failure ${n}`));
    return [taken?.on, undone];
  });
  expect(states).toEqual([
    [true, 0],
    [true, 0],
    [false, 1],
    [false, 1],
  ]);
  expect(said).toEqual([
    expect.stringContaining("failure 1"),
    expect.stringMatching(/odd instrumentation failed 3 times and is now off/),
  ]);
});
