"use strict";
// Preloaded into a suite's processes, with Telltale and without. A suite may load inner files of the library alone, which no app does
// and no instrumentation patches: here its main module is loaded before. A suite that loads TypeScript sources gets what was built of them.
const { existsSync } = require("node:fs");
const Module = require("node:module");
const { extname, join, sep } = require("node:path");
const { isMainThread } = require("node:worker_threads");

const { folder, load, built } = JSON.parse(process.env.TELLTALE_SUITE);

if (built !== undefined) {
  const [from, to] = built.map((name) => join(folder, name) + sep);
  const find = Module._resolveFilename;
  Module._resolveFilename = function resolve(...args) {
    const found = Reflect.apply(find, this, args);
    if (!found.startsWith(from)) return found;
    const path = to + found.slice(from.length);
    const file = path.slice(0, path.length - extname(path).length) + ".js";
    return existsSync(file) ? file : found;
  };
}
if (isMainThread) for (const name of load) require(join(folder, name));
