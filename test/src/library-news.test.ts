import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { REGISTER, runProgram, telltaleLines } from "./run-program.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-news-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program, and returns what the preload says beside its usual line. */
async function run(text: string, before: readonly string[] = []): Promise<{ file: string; lines: string[] }> {
  const file = join(folder, "app.cjs");
  writeFileSync(file, `${text}; console.log("app ran");`);
  const { code, stdout, stderr } = await runProgram(file, {
    nodeOptions: [...before, "--require", REGISTER],
    env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0" },
  });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "app ran\n" });
  return { file, lines: telltaleLines(stderr).filter((line) => !line.includes(" watches ")) };
}

test("the preload names what was loaded before it", async () => {
  const { lines } = await run("", ["--require", createRequire(import.meta.url).resolve("pg")]);
  expect(lines.map((line) => /^telltale: (\S+) \S+ was loaded before Telltale/.exec(line)?.[1]).toSorted()).toEqual([
    "pg",
    "pg-pool",
  ]);
  expect(lines[0]).toContain("start() into a file of its own that is imported first");
});

test("options that come too late are told once, and none are nothing to tell", async () => {
  const program = `const { start } = require(${JSON.stringify(createRequire(REGISTER).resolve("telltale"))}); start();`;
  expect((await run(program)).lines).toEqual([]);
  const { lines } = await run(`${program} start({ slowQueryMs: 1 }); start({ slowQueryMs: 2 })`);
  expect(lines).toEqual([expect.stringMatching(/^telltale: start\(\) has options, .* are ignored; /)]);
});

test("the preload names what a bundler has put into the program's file, and the cure", async () => {
  const inside = `"Client has encountered a connection error and is not queryable"${" ".repeat(30_000)}`;
  const { file, lines } = await run(inside);
  expect(lines).toEqual([
    expect.stringContaining(`telltale: pg: bundled into ${file}, where nothing can be seen of it`),
  ]);
  expect(lines[0]).toContain("external");
  expect((await run('"nothing of the kind"')).lines).toEqual([]);
});
