import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LoadedModule, onFileLoad, onModuleLoad } from "../src/module-hook.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-hook-"));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  write("node_modules/fruit/package.json", '{"name":"fruit","version":"2.3.4","main":"lib/index.js"}');
  write("node_modules/fruit/lib/index.js", 'exports.kind = "apple"; exports.inner = require("./inner");');
  write("node_modules/fruit/lib/inner.js", "module.exports = 1;");
  write("node_modules/@scope/fruit/package.json", '{"name":"@scope/fruit","version":"1.0.0"}');
  write("node_modules/@scope/fruit/index.js", "");
  write("node_modules/@scope/files/package.json", '{"name":"@scope/files","version":"1.0.0"}');
  write("node_modules/@scope/files/index.js", 'exports.inner = require("./inner.js");');
  write("node_modules/@scope/files/inner.js", "module.exports = 1;");
  write("node_modules/other/node_modules/fruit/package.json", '{"name":"fruit","version":"1.0.0"}');
  write("node_modules/other/node_modules/fruit/index.js", "");
  write("node_modules/other/index.js", 'require("fruit");');
  write("node_modules/fruit-old/package.json", '{"name":"fruit","version":"0.9.0","main":"./lib/fruit"}');
  write("node_modules/fruit-old/lib/fruit.js", "");
  write("node_modules/typed/package.json", '{"name":"typed","version":"3.0.0","exports":{"require":"./cjs/a.js"}}');
  write("node_modules/typed/cjs/package.json", '{"type":"commonjs"}');
  write("node_modules/typed/cjs/a.js", "");
  write("node_modules/broken/package.json", '{"name":"broken", "fruit"');
  write("node_modules/broken/index.js", "");
  write("node_modules/sides/package.json", '{"name":"sides","version":"1.0.0"}');
  for (const file of ["index", "lib/other", "lib/inner"]) write(`node_modules/sides/${file}.js`, "");
  write("node_modules/throws/package.json", '{"name":"throws"}');
  write("node_modules/throws/index.js", 'throw new Error("half loaded");');
  write("elsewhere/fruit/package.json", '{"name":"fruit","version":"5.0.0","main":"src/index.js"}');
  write("elsewhere/fruit/src/package.json", '{"type":"commonjs"}');
  write("elsewhere/fruit/src/index.js", "");
  write("elsewhere/copied/package.json", '{"name":"fruit","version":"6.0.0","main":"dist/index.js"}');
  write("elsewhere/copied/dist/package.json", '{"name":"fruit","version":"6.0.0","main":"dist/index.js"}');
  write("elsewhere/copied/dist/index.js", "");
  mkdirSync(join(folder, "linked/node_modules"), { recursive: true });
  symlinkSync(join(folder, "elsewhere/fruit"), join(folder, "linked/node_modules/fruit"), "junction");
  write("app.mjs", 'import fruit from "fruit"; console.log(fruit.kind);');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a file that is loaded instead of the main module is announced as well, where it is asked for", () => {
  const files: string[] = [];
  const stop = onModuleLoad("sides", ({ file }) => files.push(file.slice(folder.length)), ["lib/other.js"]);
  const require = createRequire(join(folder, "app.cjs"));
  require("sides/lib/other.js");
  require("sides/lib/inner.js");
  require("sides");
  expect(files.map((file) => file.replaceAll("\\", "/"))).toEqual([
    "/node_modules/sides/lib/other.js",
    "/node_modules/sides/index.js",
  ]);
  stop();
});

test("the files of a package are told before they run and when they have, and what is put in their place is handed out", () => {
  const told: string[] = [];
  const stop = onFileLoad("@scope/files", {
    before: () => void told.push("before"),
    after(module, file) {
      told.push(file.slice(join(folder, "node_modules/@scope/files").length + 1));
      module.exports = { was: module.exports };
    },
  });
  const require = createRequire(join(folder, "app.cjs"));
  expect(require("@scope/files")).toEqual({ was: { inner: { was: 1 } } });
  expect(require("@scope/files/inner.js")).toEqual({ was: 1 });
  stop();
  delete require.cache[require.resolve("@scope/files/inner.js")];
  expect(require("@scope/files/inner.js")).toBe(1);
  expect(told).toEqual(["before", "before", "inner.js", "index.js"]);
});

test("each copy of a package is announced once, with its version; inner files and namesakes are not", () => {
  const seen: LoadedModule[] = [];
  const stop = onModuleLoad("fruit", (loaded) => seen.push(loaded));
  const require = createRequire(join(folder, "app.cjs"));
  expect(require("fruit")).toEqual({ kind: "apple", inner: 1 });
  require("fruit");
  require("fruit/lib/inner.js");
  require("@scope/fruit");
  require("other");
  expect(seen.map(({ name, version }) => `${name} ${version}`)).toEqual(["fruit 2.3.4", "fruit 1.0.0"]);

  const late: string[] = [];
  const stopLate = onModuleLoad("fruit", ({ version }) => late.push(version));
  expect(late).toEqual(["2.3.4", "1.0.0"]);
  stop();
  stopLate();
});

test("a copy that was installed under another name is known by the name in its package.json", () => {
  const seen: LoadedModule[] = [];
  const stop = onModuleLoad("fruit", (loaded) => seen.push(loaded));
  seen.length = 0;
  createRequire(join(folder, "alias.cjs"))("fruit-old");
  stop();
  expect(seen).toMatchObject([{ name: "fruit", version: "0.9.0", file: expect.stringContaining("fruit-old") }]);
});

test("a manifest copied beside what was built, whose main module is then nowhere, is one of Node's warnings only to who asks for it", async () => {
  const warnings: string[] = [];
  const hear = ({ message }: Error): void => void warnings.push(message);
  process.on("warning", hear);
  const seen: string[] = [];
  const stop = onModuleLoad("fruit", ({ version }) => seen.push(version));
  seen.length = 0;
  createRequire(join(folder, "copied.cjs"))(join(folder, "elsewhere/copied/dist/index.js"));
  await new Promise((resolve) => setImmediate(resolve));
  stop();
  process.off("warning", hear);
  expect(seen).toEqual(["6.0.0"]);
  expect(warnings).toEqual([]);
});

test("a copy that is loaded again is announced again, and every copy to who comes late", () => {
  const require = createRequire(join(folder, "again.cjs"));
  const seen: unknown[] = [];
  const stop = onModuleLoad("fruit", ({ exports }) => seen.push(exports));
  seen.length = 0;
  const copies = [1, 2].map(() => {
    delete require.cache[require.resolve("fruit")];
    return require("fruit") as unknown;
  });
  expect(copies[0]).not.toBe(copies[1]);
  // The very objects, in the order in which they were made.
  expect(seen.length).toBe(2);
  expect(seen.every((exports, n) => exports === copies[n])).toBe(true);
  const late: unknown[] = [];
  const stopLate = onModuleLoad("fruit", ({ exports }) => late.push(exports));
  for (const copy of copies) expect(late.filter((exports) => exports === copy)).toHaveLength(1);
  stop();
  stopLate();
});

test("what `exports` gives to require is the main module; a package.json inside that names nothing is passed over", () => {
  const seen: string[] = [];
  const stop = onModuleLoad("typed", ({ version }) => seen.push(version));
  createRequire(join(folder, "typed.cjs"))("typed");
  stop();
  expect(seen).toEqual(["3.0.0"]);
});

test("a package of a scope, and one that is linked from elsewhere", () => {
  const seen: string[] = [];
  const note = ({ name, version }: LoadedModule): void => void seen.push(`${name} ${version}`);
  const stops = ["fruit", "@scope/fruit"].map((name) => onModuleLoad(name, note));
  seen.length = 0;
  const require = createRequire(join(folder, "linked/app.cjs"));
  require("fruit");
  delete require.cache[require.resolve("@scope/fruit")];
  require("@scope/fruit");
  for (const stop of stops) stop();
  expect(seen).toEqual(["fruit 5.0.0", "@scope/fruit 1.0.0"]);
});

test("a package that cannot be read, or that throws, loads as it would alone", () => {
  const seen: string[] = [];
  const stop = onModuleLoad("throws", ({ name }) => seen.push(name));
  const require = createRequire(join(folder, "broken.cjs"));
  for (const file of ["broken/index.js", "throws"]) {
    let message = "";
    try {
      require(file);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(file === "throws" ? "half loaded" : "package.json");
  }
  stop();
  expect(seen).toEqual([]);
});

test("the loader is itself again when nobody hooks", () => {
  const { load: before } = Module.prototype as unknown as { load: unknown };
  const stop = onModuleLoad("fruit", () => {});
  expect((Module.prototype as unknown as { load: unknown }).load).not.toBe(before);
  stop();
  expect((Module.prototype as unknown as { load: unknown }).load).toBe(before);
});

test("where somebody has wrapped the wrapper, a copy is still announced once", () => {
  const { prototype } = Module as unknown as { prototype: { load: (this: unknown, file: string) => unknown } };
  const { load } = prototype;
  const stop = onModuleLoad("fruit", () => {});
  const ours = prototype.load;
  prototype.load = function wrapped(file) {
    return ours.call(this, file);
  };
  stop();
  const seen: string[] = [];
  const stopAgain = onModuleLoad("fruit", ({ version }) => seen.push(version));
  seen.length = 0;
  const require = createRequire(join(folder, "wrapped.cjs"));
  delete require.cache[require.resolve("fruit")];
  require("fruit");
  stopAgain();
  prototype.load = load;
  expect(seen).toEqual(["2.3.4"]);
});

test("an import from an ES module is announced too", () => {
  const hook = fileURLToPath(new URL("../dist/index.cjs", import.meta.url));
  const preload = join(folder, "preload.cjs");
  writeFileSync(
    preload,
    `require(${JSON.stringify(hook)}).onModuleLoad("fruit", (m) => console.log("loaded", m.version));`,
  );
  const output = execFileSync(process.execPath, ["--require", preload, join(folder, "app.mjs")], { encoding: "utf8" });
  expect(output).toBe("loaded 2.3.4\napple\n");
});
