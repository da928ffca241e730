import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { fixture, type ProgramRun, runProgram } from "../run-program.js";
import { type PostgresServer, startPostgres } from "../servers/index.js";

const modules = fileURLToPath(new URL("../../../node_modules/", import.meta.url));
const RUNNERS = {
  vitest: { program: join(modules, "vitest/vitest.mjs"), args: ["run", "--root", "."] },
  jest: { program: join(modules, "jest/bin/jest.js"), args: ["--config", "jest.config.cjs"] },
};
const ROOT = fixture("runners");
/** The line of the loop's query. */
const LINE =
  1 +
  readFileSync(join(ROOT, "orders.cjs"), "utf8")
    .split("\n")
    .findIndex((line) => line.includes("for (const"));

describeWith(["postgres"], "real test runners, with a PostgreSQL", () => {
  let server: PostgresServer;
  let folder = "";
  beforeAll(async () => {
    server = await startPostgres();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "telltale-runners-"));
    return () => rmSync(folder, { recursive: true, force: true });
  });
  afterAll(() => server.stop());

  async function run(project: string, env: Record<string, string> = {}): Promise<ProgramRun & { said: string }> {
    const { program, args } = RUNNERS[project.startsWith("jest") ? "jest" : "vitest"];
    const result = await runProgram(program, {
      args,
      cwd: join(ROOT, project),
      env: {
        DATABASE_URL: server.url,
        CACHE: join(folder, "cache"),
        TODO: join(folder, "todo.json"),
        NO_COLOR: "1",
        ...env,
      },
    });
    return { ...result, said: result.stdout + result.stderr };
  }

  describe.each(["vitest", "jest"])("%s", (runner) => {
    test("a run that hits on a new N+1 fails, though all its tests pass, and says where it is", async () => {
      const { code, said } = await run(runner);
      expect(said).toMatch(/Tests:? +[24] passed/);
      expect(said).toContain("Telltale: 1 new\n  n_plus_one: TEST one by one runs SELECT 30 times (");
      expect(said).toMatch(new RegExp(`\\n {4}from ${ROOT}/orders\\.cjs:${LINE}:\\d+ \\(listOrders\\)\\n`));
      expect(said).toMatch(/\n {4}found by (orders|again)\.test\.[cm]js\n/);
      expect(said).not.toContain("::error");
      expect(code).toBe(1);
    });

    test("annotates it for GitHub", async () => {
      const { said } = await run(runner, { GITHUB_ACTIONS: "true", GITHUB_WORKSPACE: join(ROOT, "..") });
      const [annotation = "", ...more] = said.split("\n").filter((line) => line.includes("Telltale%3A"));
      expect(more).toEqual([]);
      expect(annotation).toMatch(
        new RegExp(
          `^::error file=runners/orders\\.cjs,line=${LINE},col=\\d+,title=Telltale%3A n_plus_one::TEST one by one runs SELECT 30 times .*%0ARead the rows`,
        ),
      );
    });

    test("what is accepted fails no run", async () => {
      expect(await run(runner, { UPDATE: "true" })).toMatchObject({
        code: 0,
        said: expect.stringContaining("1 added to"),
      });
      const { code, said } = await run(runner);
      expect(said).toContain("nothing new was found; 1 known in");
      expect(code).toBe(0);
    });

    test("a matcher that fails lists the queries, and from where they came", async () => {
      const { code, said } = await run(runner, { EXPECTED: "2" });
      expect(said).toMatch(
        new RegExp(
          `expected 2 queries, got 31:\\s+30 × SELECT pg_sleep\\(\\?\\), \\$1::int AS item\\s+from ${ROOT}/orders\\.cjs:${LINE}:`,
        ),
      );
      expect(code).toBe(1);
    });

    test("a file of known findings that is none is an error", async () => {
      writeFileSync(join(folder, "todo.json"), "[]");
      const { code, said } = await run(runner);
      expect(said).toContain('todo.json: it must be { "findings": [');
      expect(code).not.toBe(0);
    });
  });

  test("a Telltale that comes after the driver says so", async () => {
    const { code, said } = await run("vitest-too-late");
    expect(said).toContain(
      "before it starts\nError: Telltale does not run in this process: start Telltale earlier: in a setup",
    );
    expect(said).toMatch(
      /too late\nError: pg(-pool)? and pg(-pool)? were loaded before Telltale, .*Either start Telltale earlier/,
    );
    expect(code).toBe(1);
  });

  test("under Jest, a driver that nobody has shown is missed, and it is said what to do", async () => {
    const { code, said } = await run("jest-unseen");
    expect(said).toMatch(/pg(-pool)? and pg(-pool)? were loaded .*; or, under Jest, call showModules\(require, \["pg/);
    expect(code).toBe(1);
  });
});
