import { createRequire } from "node:module";
import { defineInstrumentation, setSay } from "@telltale/core";
import { waitFor } from "@telltale/testkit";
import { afterEach, expect, test } from "vitest";
import { tellLibraries } from "../src/library-news.js";

const require = createRequire(import.meta.url);
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
  setSay(() => {});
});

function hear(): string[] {
  const lines: string[] = [];
  setSay((level, line) => lines.push(`${level}: ${line}`));
  return lines;
}

function watch(module: string, major: number, calls?: string): void {
  const instrumentation = defineInstrumentation({
    name: module,
    modules: [{ module, ...(calls && { calls }), majors: [major, major], patch: () => () => {} }],
  });
  instrumentation.enable();
  undo.push(instrumentation.disable);
}

test("a library that is patched and silent is named after a while; one that is heard, or of which that is not known, is not", async () => {
  watch("pg", 8, "pg");
  watch("ioredis", 6, "ioredis");
  watch("express", 5);
  for (const name of ["pg", "ioredis", "express"]) require(name);
  const lines = hear();
  undo.push(tellLibraries(undefined, new Set(["ioredis"]), 20));
  await waitFor(() => lines.length > 0, "a line", 5_000);
  const { version } = require("pg/package.json") as { version: string };
  expect(lines).toEqual([`debug: pg ${version} is loaded and patched: 0 operations in 0.02 s`]);
});

test("a library that was loaded before is named at once", () => {
  const { version } = require("mysql2/package.json") as { version: string };
  require("mysql2");
  watch("mysql2", 3, "mysql2");
  const lines = hear();
  undo.push(tellLibraries(undefined, new Set()));
  expect(lines).toEqual([expect.stringContaining(`info: mysql2 ${version} was loaded before Telltale`)]);
});
