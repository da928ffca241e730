import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LoadedModule, onModuleLoad } from "../src/module-hook.js";

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
  write("node_modules/other/node_modules/fruit/package.json", '{"name":"fruit","version":"1.0.0"}');
  write("node_modules/other/node_modules/fruit/index.js", "");
  write("node_modules/other/index.js", 'require("fruit");');
  write("app.mjs", 'import fruit from "fruit"; console.log(fruit.kind);');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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

test("the loader is itself again when nobody hooks", () => {
  const { _load: before } = createRequire(import.meta.url)("node:module") as { _load: unknown };
  const stop = onModuleLoad("fruit", () => {});
  stop();
  const { _load: after } = createRequire(import.meta.url)("node:module") as { _load: unknown };
  expect(after).toBe(before);
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
