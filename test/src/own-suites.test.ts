import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runProgram } from "./run-program.js";

const compare = fileURLToPath(new URL("../do-no-harm/compare.mjs", import.meta.url));

// Of the libraries that are watched, Fastify is published with tests that run with what is installed here.
const FASTIFY = dirname(createRequire(import.meta.url).resolve("fastify"));
const CHOSEN = ["als", "content-type-parser-async-context", "hooks-async", "route-hooks"];

test("a selection of Fastify's own tests passes with the preload as without", { timeout: 60_000 }, async () => {
  const files = CHOSEN.map((name) => `test/${name}.test.js`);
  const args = ["--load", ".", FASTIFY, "--", process.execPath, "--test", ...files];
  const { code, stdout } = await runProgram(compare, { args, timeoutMs: 60_000 });
  expect(code, stdout).toBe(0);
  expect(stdout).toMatch(/^0 new failures/m);
  // What ran, and was watched.
  expect(stdout).toMatch(/^with +[1-9]\d+ passed, 0 failed/m);
  expect(stdout).toMatch(/^heard: .*[1-9]\d* http server/m);
});

test("a test that the preload breaks is found", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-suite-"));
  const broken = `test("knows no OpenTelemetry", () => assert(!(Symbol.for("opentelemetry.js.api.1") in globalThis)));`;
  const imports = `const test = require("node:test"); const assert = require("node:assert"); const fs = require("node:fs"); const os = require("node:os");`;
  const leaves = `test("leaves a file", () => fs.writeFileSync(\`\${os.tmpdir()}/${basename(folder)}.left\`, ""));`;
  writeFileSync(join(folder, "one.test.cjs"), `${imports} ${leaves} ${broken}`);
  try {
    const args = ["--times", "1", folder, "--", process.execPath, "--test", "one.test.cjs"];
    const { code, stdout } = await runProgram(compare, { args, timeoutMs: 60_000 });
    expect(code, stdout).toBe(1);
    expect(stdout).toMatch(/^NEW FAILURE {2}one\.test\.cjs > knows no OpenTelemetry$/m);
    expect(stdout).toMatch(/^1 new failures/m);
    expect(stdout).toMatch(/^with +2 passed, 1 failed/m);
    expect(existsSync(`${folder}.left`)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
