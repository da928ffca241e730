import { testNodes } from "@telltale/test/servers";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const core = fileURLToPath(new URL("../dist/index.cjs", import.meta.url));
const iitm = dirname(createRequire(import.meta.url).resolve("import-in-the-middle"));

const files: Record<string, string> = {
  // Nothing but an ES module, which waits, is part of a cycle, throws, and says where its source map is.
  "node_modules/only/package.json": `{"name":"only","version":"1.0.0","type":"module",
    "exports":{".":{"import":{"types":"./x.d.ts","default":"./lib/main.js"}},"./inner":"./lib/inner.js"}}`,
  "node_modules/only/lib/main.js": `#!/usr/bin/env node
import "common"; export * from "./inner.js"; export { self } from "./cycle.js";
export class Thing { fail() { throw new Error("here"); } }
export const slow = await new Promise((resolve) => setTimeout(resolve, 5, "slow"));
export const { url } = import.meta;
//# sourceMappingURL=main.js.map`,
  "node_modules/only/lib/inner.js": "export const inner = 1;",
  "node_modules/only/lib/cycle.js": 'import { Thing } from "./main.js"; export const self = () => Thing;',
  "node_modules/dual/package.json": `{"name":"dual","version":"2.0.0","main":"./index.js",
    "exports":{"import":"./index.mjs","require":"./index.js"}}`,
  "node_modules/dual/index.mjs": "export function dual() {} export default dual;",
  "node_modules/dual/index.js": "exports.dual = function dual() {};",
  // The ES module only passes on what the CommonJS one exports.
  "node_modules/wrapper/package.json": `{"name":"wrapper","version":"3.0.0","main":"./index.js",
    "exports":{".":{"import":"./index.mjs","require":"./index.js"}}}`,
  "node_modules/wrapper/index.mjs":
    'import main from "./index.js"; export const { wrapped } = main; export default main;',
  "node_modules/wrapper/index.js": "exports.wrapped = function wrapped() {};",
  "node_modules/plain/package.json": '{"name":"plain","version":"4.0.0","type":"module","exports":"./index.js"}',
  "node_modules/plain/index.js": "export default function plain() {}",
  "node_modules/bad/package.json": '{"name":"bad","version":"5.0.0","type":"module","exports":"./index.js"}',
  "node_modules/bad/index.js": 'export const a = 1;\nthrow new Error("bad");',
  "node_modules/broken/package.json": '{"name":"broken","version":"6.0.0","type":"module","exports":"./index.js"}',
  "node_modules/broken/index.js": "export const = 1;",
  "node_modules/common/package.json": '{"name":"common","version":"1.0.0"}',
  "node_modules/common/index.js": `exports.cached = require.cache[__filename] === module;
exports.known = [typeof require.main, typeof require.extensions, typeof module.parent]; exports.inner = require("./inner.js");`,
  "node_modules/common/inner.js": "module.exports = require.cache[__filename] === module;",
  "app.mjs": `import * as only from "only"; import dual from "dual"; import wrapper from "wrapper"; import plain from "plain";
import common, { cached } from "common"; import "only/inner"; import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const place = (error) => error.stack.split("\\n").slice(0, 2).join().replace(/file:.*node_modules/, "");
console.log(Object.keys(only).join(), only.slow, only.url.endsWith("only/lib/main.js"), only.self() === only.Thing);
console.log(typeof dual, typeof plain, require("plain").default === plain, require("wrapper") === wrapper, JSON.stringify(common), cached);
require("dual");
try { new only.Thing().fail(); } catch (error) { console.log(place(error)); }
try { await import("bad"); } catch (error) { console.log(place(error)); }
console.log(Object.getOwnPropertyNames(globalThis).length, Object.keys(globalThis).length);`,
  "app.cjs": `console.log(typeof require("plain").default, require.main === module, String(module.parent));
require("./below.mjs");
import("only").then(async (only) => {
  console.log(Object.keys(only).join());
  await import("wrapper");
  const { Worker } = require("worker_threads");
  new Worker(__dirname + "/worker.mjs").on("exit", (code) => console.log(code));
});`,
  "below.mjs": 'import "dual"; import common from "common"; console.log(JSON.stringify(common));',
  "worker.mjs": 'import "plain"; console.log("worker");',
  "hear.cjs": `const { onModuleLoad } = require(${JSON.stringify(core)});
for (const name of ["only", "dual", "wrapper", "plain", "bad", "broken"]) onModuleLoad(name, ({ name, version, file, exports }) =>
  console.log("heard", name, version, file.slice(__dirname.length).replaceAll("\\\\", "/"), Object.keys(exports).join()));`,
  // A hook of the app's that takes what Node gives it.
  "bytes.mjs": `import { registerHooks } from "node:module"; const kinds = [];
registerHooks({ load(url, context, next) { const result = next(url, context); kinds.push(result.source?.constructor.name); return result; } });
await import("plain"); console.log(kinds);`,
  // A hook of the app's that sees who was asked before it.
  "broken.mjs": `import { registerHooks } from "node:module"; let asked;
registerHooks({ resolve(...args) { asked = new Error().stack.includes("core/dist"); return args[2](args[0], args[1]); } });
await import("broken").catch(({ name }) => console.log(name));
setTimeout(() => import("node:fs").then(() => console.log(asked)), 1_100);`,
  // What counts the hooks that are set.
  "count.cjs": `const Module = require("node:module"); const { registerHooks } = Module; let hooks = 0;
Module.registerHooks = (given) => { hooks++; return registerHooks(given); };
process.on("exit", () => console.log(hooks));`,
  "node_modules/leaf/package.json":
    '{"name":"leaf","version":"1.0.0","exports":"./index.mjs","dependencies":{},"devDependencies":{"only":"1"}}',
  "node_modules/leaf/index.mjs": "export const leaf = 1;",
  "node_modules/branch/package.json":
    '{"name":"branch","version":"1.0.0","type":"module","peerDependencies":{"only":"1"}}',
  "node_modules/branch/index.js": 'import "leaf"; export const branch = 1;',
  "node_modules/branch/index.cjs": "",
  "leaf.cjs": 'require("leaf"); require("branch/index.cjs");',
  "branch.cjs": 'require("branch/index.js");',
  "nothing.cjs": "",
  "iitm.mjs": `import { register } from "node:module"; import { Hook } from ${JSON.stringify(`file://${iitm}/index.js`)};
register(${JSON.stringify(`file://${iitm}/hook.mjs`)}); new Hook(["only", "dual", "common"], (_, name) => console.log("hooked", name));`,
};

const heard = {
  only: "heard only 1.0.0 /node_modules/only/lib/main.js Thing,inner,self,slow,url",
  dual: "heard dual 2.0.0 /node_modules/dual/index.mjs default,dual",
  dualRequired: "heard dual 2.0.0 /node_modules/dual/index.js dual",
  wrapper: "heard wrapper 3.0.0 /node_modules/wrapper/index.js wrapped",
  plain: "heard plain 4.0.0 /node_modules/plain/index.js default",
};
const imported = [heard.dual, heard.wrapper, heard.plain, heard.only, heard.dualRequired];
const required = [heard.plain, heard.dual, heard.only, heard.wrapper, heard.plain];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-es-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function linesOf(binary: string, args: readonly string[]): Promise<string[]> {
  const child = spawn(binary, ["--no-warnings", ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
  await new Promise((resolve) => child.once("close", resolve));
  return text.trim().split("\n");
}

describe.each(await testNodes())("Node $version", { timeout: 30_000 }, ({ binary }) => {
  test.concurrent.each([
    { preload: ["--require", "./hear.cjs"], app: "app.mjs", announced: imported },
    { preload: ["--require", "./hear.cjs"], app: "bytes.mjs", announced: [heard.plain] },
    { preload: ["--require", "./hear.cjs"], app: "broken.mjs", announced: [] },
    { preload: ["--import", "./hear.cjs"], app: "app.mjs", announced: imported },
    { preload: ["--require", "./hear.cjs"], app: "app.cjs", announced: required },
    { preload: ["--import", "./hear.cjs"], app: "app.cjs", announced: required },
    { preload: ["--require", "./hear.cjs", "--import", "./iitm.mjs"], app: "app.mjs", announced: imported },
    { preload: ["--import", "./iitm.mjs", "--import", "./hear.cjs"], app: "app.mjs", announced: imported },
  ])("with $preload, $app announces each copy once and runs as it does alone", async ({ preload, app, announced }) => {
    const alone = preload.map((part) => part.replace("hear", "nothing"));
    const [with_, without] = await Promise.all([linesOf(binary, [...preload, app]), linesOf(binary, [...alone, app])]);
    expect(with_.filter((line) => line.startsWith("heard"))).toEqual(announced);
    expect(with_.filter((line) => !line.startsWith("heard"))).toEqual(without);
    expect(without.length).toBeGreaterThan(app.startsWith("app") ? 4 : 0);
  });

  test.each([
    { app: "nothing.cjs", hooks: "0" },
    { app: "leaf.cjs", hooks: "0" },
    { app: "branch.cjs", hooks: "1" },
  ])(
    "$app, which requires ES modules, sets a hook only if they may import what is waited for",
    async ({ app, hooks }) => {
      expect(await linesOf(binary, ["--require", "./count.cjs", "--require", "./hear.cjs", app])).toEqual([hooks]);
    },
  );
});
