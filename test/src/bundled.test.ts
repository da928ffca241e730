import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findBundled, MARKS } from "../../packages/telltale/src/bundled.js";
import { REGISTER, runProgram, telltaleLines } from "./run-program.js";

const { build } = createRequire(new URL("../../packages/telltale/package.json", import.meta.url))(
  "esbuild",
) as typeof import("esbuild");
const root = fileURLToPath(new URL("../..", import.meta.url));
const LIBRARIES = Object.keys(MARKS);
/** Where the newest and the oldest major are installed. */
const PLACES = [root, join(root, ".old-majors")];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-bundled-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function bundle(name: string, from: string, text: string, minify: boolean): Promise<string> {
  const outfile = join(folder, `${name}.cjs`);
  const stdin = { contents: text, resolveDir: from };
  await build({
    stdin,
    outfile,
    minify,
    bundle: true,
    platform: "node",
    logLevel: "silent",
    external: ["pg-native"],
    legalComments: "none",
  });
  return outfile;
}

const cases = PLACES.flatMap((from) =>
  LIBRARIES.flatMap((library) =>
    [true, false].map((minify) => ({ library, from, minify, of: from.slice(root.length) })),
  ),
);
test.each(cases)("$library in a bundle, minified: $minify $of", async ({ library, from, minify }) => {
  const file = await bundle("one", from, `require(${JSON.stringify(library)});`, minify);
  expect(findBundled(file, LIBRARIES)).toEqual([library]);
});

test("what only loads libraries has none of them in it", () => {
  const file = join(folder, "none.cjs");
  const loads = LIBRARIES.map((library) => `require("${library}"); // node_modules/${library}\n`).join("");
  writeFileSync(file, loads.padEnd(30_000));
  expect(findBundled(file, LIBRARIES)).toEqual([]);
  expect(findBundled(join(folder, "missing.cjs"), LIBRARIES)).toEqual([]);
});

test("what was loaded before the preload is named, too", async () => {
  const app = join(folder, "late.cjs");
  writeFileSync(app, 'console.log("app ran");');
  const { stdout, stderr } = await runProgram(app, {
    nodeOptions: ["--require", join(root, "node_modules/pg"), "--require", REGISTER],
    env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0" },
  });
  expect(stdout).toBe("app ran\n");
  const late = telltaleLines(stderr).filter((line) => line.includes("loaded before Telltale"));
  expect(late.map((line) => line.split(" ")[1]).toSorted()).toEqual(["pg", "pg-pool"]);
});

test("the preload says so before the app runs into it", async () => {
  const file = await bundle("app", root, 'require("pg"); console.log("app ran");', true);
  const { code, stdout, stderr } = await runProgram(file, {
    nodeOptions: ["--require", REGISTER],
    env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0" },
  });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "app ran\n" });
  const lines = telltaleLines(stderr).filter((line) => line.includes("bundled"));
  expect(lines).toEqual([
    expect.stringContaining(`telltale: pg: bundled into ${file}, where nothing can be seen of it`),
  ]);
  expect(lines[0]).toContain("external");
});
