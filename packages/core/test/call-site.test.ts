import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, SourceMap } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { afterAll, expect, test } from "vitest";
import {
  lastSiteOf,
  type SiteHolder,
  siteKeyOf,
  sitesWanted,
  siteWanted,
  startHttpClientOperation,
  takeSite,
  wantSite,
} from "../src/index.js";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "call-site-")));
afterAll(() => rmSync(folder, { recursive: true }));
const core = pathToFileURL(createRequire(import.meta.url).resolve("../dist/index.cjs")).href;

/** Calls whose stack is taken while a shape is armed, all of one shape. */
function takeAll(holder: SiteHolder, calls: number): number {
  let taken = 0;
  function query(): void {
    if (!siteWanted(holder)) return;
    takeSite(holder, query);
    taken++;
  }
  for (let n = 0; n < calls; n++) query();
  return taken;
}

test("nothing is taken unless armed, three when armed, and no more within a minute", () => {
  const holder = { slots: [] };
  expect(takeAll(holder, 100)).toBe(0);
  wantSite(holder, 1_000);
  expect(sitesWanted()).toBe(true);
  expect(takeAll(holder, 100)).toBe(3);
  expect(sitesWanted()).toBe(false);
  wantSite(holder, 60_000);
  expect(takeAll(holder, 100)).toBe(0);
  wantSite(holder, 61_000);
  expect(takeAll(holder, 100)).toBe(3);
});

test("of all calls while armed, one in a hundred gives its stack, beside the first thirty", () => {
  let taken = 0;
  for (let n = 0; n < 500; n++) {
    const holder = { slots: [] };
    wantSite(holder);
    taken += takeAll(holder, 20);
  }
  expect(taken).toBeLessThanOrEqual(30 + (500 * 20) / 100);
  expect(taken).toBeGreaterThanOrEqual((500 * 20) / 100);
});

test("one key stands for the requests to one server with one method", () => {
  const sent = (method: string, serverPort: number) =>
    startHttpClientOperation(
      { method, originalMethod: undefined, url: "http://api/", serverAddress: "api", serverPort },
      ROOT_CONTEXT,
    );
  expect(siteKeyOf(sent("GET", 443))).toBe(siteKeyOf(sent("GET", 443)));
  expect(siteKeyOf(sent("GET", 443))).not.toBe(siteKeyOf(sent("GET", 80)));
  expect(siteKeyOf(sent("GET", 443))).not.toBe(siteKeyOf(sent("POST", 443)));
});

/** Runs a program that has a driver in node_modules, and prints the sites that it was called from. */
function run(files: Record<string, string>, ...flags: string[]): unknown {
  const driver = `
    import { takeSite, wantSite, siteWanted, lastSiteOf } from ${JSON.stringify(core)};
    const shape = { slots: [] };
    export const hook = Error.prepareStackTrace;
    function patched() { if (siteWanted(shape)) takeSite(shape, patched); }
    export function query() { patched(); }
    export async function orm() { await null; query(); }
    export async function site() {
      lastSiteOf(shape);
      await new Promise((done) => setTimeout(done, 100));
      return lastSiteOf(shape) ?? null;
    }
    wantSite(shape);`;
  const here = mkdtempSync(join(folder, "app-"));
  for (const [name, text] of Object.entries({ "node_modules/driver/index.mjs": driver, ...files })) {
    mkdirSync(join(here, name, ".."), { recursive: true });
    writeFileSync(join(here, name), text);
  }
  writeFileSync(join(here, "node_modules/driver/package.json"), `{"exports":"./index.mjs"}`);
  const printed = execFileSync(process.execPath, [...flags, join(here, "app.mjs")], { encoding: "utf8" });
  return JSON.parse(printed.replaceAll(here, "/app"));
}

const PRINT = `console.log(JSON.stringify(await site()));`;

test.each<[string, string, object | null]>([
  ["a function of the app's", `function load() {\n  query();\n}\nload();`, { line: 3, column: 3, function: "load" }],
  ["a method", `class Orders {\n  list() { query(); }\n}\nnew Orders().list();`, { line: 3, function: "Orders.list" }],
  ["the top level", `query();`, { line: 2, column: 1 }],
  [
    "through an async library",
    `async function show() {\n  await orm();\n}\nawait show();`,
    { line: 3, function: "show" },
  ],
  [
    "a callback that Node calls",
    `await new Promise((done) => setImmediate(() => {\n query(); done(); }));`,
    { line: 3 },
  ],
  ["no code of the app's", `setImmediate(query); await new Promise((done) => setTimeout(done, 20));`, null],
])("the site is the app's own frame: %s", (_, code, expected) => {
  const site = run({ "app.mjs": `import { query, orm, site } from "driver";\n${code}\n${PRINT}` });
  if (expected === null) expect(site).toBeNull();
  else expect(site).toMatchObject({ file: "/app/app.mjs", ...expected });
});

test("what V8 calls a function without a name is none, in a stack that is text either", async () => {
  const holder = { slots: [] };
  wantSite(holder);
  takeSite(holder, "Error\n    at async Array.<anonymous> (/srv/app/orders.mjs:34:5)");
  await expect.poll(() => lastSiteOf(holder)).toEqual({ file: "/srv/app/orders.mjs", line: 34, column: 5 });
});

test("a library that was copied among the app's files is none of its own: Prisma's runtime beside a generated client", () => {
  const runtime = `import { query } from "driver";\nexport async function findMany() { await null; query(); }`;
  const program = (folder: string) => ({
    [`${folder}/runtime/client.mjs`]: runtime,
    "app.mjs": `import { site } from "driver";\nimport { findMany } from "./${folder}/runtime/client.mjs";\nawait findMany();\n${PRINT}`,
  });
  const manifest = { "generated/package.json": `{"name":"prisma-client-5a6b"}` };
  expect(run({ ...program("generated"), ...manifest })).toMatchObject({ file: "/app/app.mjs", line: 3 });
  expect(run(program("own"))).toMatchObject({ file: "/app/own/runtime/client.mjs", line: 2 });
});

// Line 1, column 1 of the program is line 41, column 3 of the source: one segment, by hand.
const MAP = { version: 3, sources: ["src/orders.ts"], names: [], mappings: ";AAwCE" };

test("the map's own words, as Node reads them", () => {
  expect(new SourceMap(MAP as never).findEntry(1, 0)).toMatchObject({ originalLine: 40, originalColumn: 2 });
});

test.each<[string, string, Record<string, string>, string[]]>([
  ["a map beside the file", "app.mjs.map", { "app.mjs.map": JSON.stringify(MAP) }, []],
  ["a map inside the file", `data:application/json;base64,${btoa(JSON.stringify(MAP))}`, {}, []],
  ["as Node reads it", "app.mjs.map", { "app.mjs.map": JSON.stringify(MAP) }, ["--enable-source-maps"]],
])("source maps are honoured: %s", (_, address, files, flags) => {
  const code = `import { query, site } from "driver";\nquery(); ${PRINT}\n//# sourceMappingURL=${address}\n`;
  const site = run({ "app.mjs": code, ...files }, ...flags);
  expect(site).toMatchObject({ file: "/app/src/orders.ts", line: 41, column: 3 });
});

test.each([
  ["a map that is missing", "gone.map", {}],
  ["a map that is none", "app.mjs.map", { "app.mjs.map": "{" }],
  [
    "a map that does not name its source",
    "app.mjs.map",
    { "app.mjs.map": JSON.stringify({ ...MAP, sources: [null] }) },
  ],
])("the compiled position stands where there is %s", (_, address, files) => {
  const code = `import { query, site } from "driver";\nquery(); ${PRINT}\n//# sourceMappingURL=${address}\n`;
  expect(run({ "app.mjs": code, ...files })).toMatchObject({ file: "/app/app.mjs", line: 2, column: 1 });
});

test("a source on another machine is named as it is", () => {
  const map = JSON.stringify({ ...MAP, sources: ["file://build/src/orders.ts"] });
  const code = `import { query, site } from "driver";\nquery(); ${PRINT}\n//# sourceMappingURL=app.mjs.map\n`;
  expect(run({ "app.mjs": code, "app.mjs.map": map })).toMatchObject({ file: "file://build/src/orders.ts", line: 41 });
});

test("the app's own stacks stay as they are", () => {
  const code = `import { query, site, hook } from "driver";
    Error.stackTraceLimit = 2;
    query(); await site();
    const same = Error.prepareStackTrace === hook && Error.stackTraceLimit === 2;
    Error.prepareStackTrace = () => "mine";
    const mine = new Error().stack;
    console.log(JSON.stringify({ same, mine }));`;
  expect(run({ "app.mjs": code })).toEqual({ same: true, mine: "mine" });
});

test("an accessor of the app's in place of a hook is not called", () => {
  const code = `import { query, site } from "driver";
    const set = [];
    for (const name of ["prepareStackTrace", "stackTraceLimit"]) {
      let value;
      Object.defineProperty(Error, name, { get: () => value, set: (given) => set.push(name), configurable: true });
    }
    query(); await site();
    console.log(JSON.stringify({ set, isAccessor: Object.hasOwn(Object.getOwnPropertyDescriptor(Error, "prepareStackTrace"), "get") }));`;
  expect(run({ "app.mjs": code })).toEqual({ set: [], isAccessor: true });
});

// The last of all: those that wait for a call stay armed.
test("of a thousand that wait for a call the oldest makes room, and can be armed again", () => {
  const oldest = { slots: [] };
  wantSite(oldest, 1_000);
  for (let n = 0; n < 1_000; n++) wantSite({ slots: [] }, 1_000);
  expect(takeAll(oldest, 1_000)).toBe(0);
  wantSite(oldest, 61_000);
  expect(takeAll(oldest, 1_000)).toBe(3);
});
