import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
let path: string;

// The programs of the servers, and apt-get, are not on this path.
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), "telltale-path-"));
  await symlink("/bin/sh", join(path, "sh"));
  await symlink("/usr/bin/id", join(path, "id"));
});
afterAll(() => rm(path, { recursive: true }));

function runTests(ci: string): Promise<{ code: number; output: string }> {
  const config = join(root, "test/fixtures/vitest.config.ts");
  const args = [vitest, "run", "missing-server", "--root", root, "--config", config];
  const env = { HOME: tmpdir(), PATH: path, CI: ci, NO_COLOR: "1" };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, cwd: root }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, output: stripVTControlCharacters(stdout + stderr) });
    });
  });
}

test("tests without their server are skipped, and the end of the run says how many and why", async () => {
  const { code, output } = await runTests("");
  expect(output).toMatch(/Tests +1 passed \| 3 skipped/);
  expect(output).toMatch(/Skipped 3 tests:\n {2}2: redis-server or valkey-server not found; install it with: .+\n/);
  expect(output).toContain("1: not on this version");
  expect(code).toBe(0);
});

test("with CI=true a missing server is a failure", async () => {
  const { code, output } = await runTests("true");
  expect(output).toContain("redis-server or valkey-server not found");
  expect(output).toMatch(/Tests +1 failed \| 1 passed/);
  expect(code).toBe(1);
});
