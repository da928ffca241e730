import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findBundled, MARKS } from "../src/bundled.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const LIBRARIES = Object.keys(MARKS);
/** mssql has tedious in it. */
const broughtBy = (library: string): string[] => (library === "mssql" ? ["tedious"] : []);
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
    external: ["pg-native", "@azure/*"],
    legalComments: "none",
    // The app has more in it than a small library.
    footer: { js: "//".padEnd(20_000) },
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
  expect(findBundled(file, LIBRARIES)).toEqual([library, ...broughtBy(library)]);
});

test("what only loads libraries has none of them in it", () => {
  const file = join(folder, "none.cjs");
  const loads = LIBRARIES.map((library) => `require("${library}"); // node_modules/${library}\n`).join("");
  writeFileSync(file, loads.padEnd(30_000));
  expect(findBundled(file, LIBRARIES)).toEqual([]);
  expect(findBundled(join(folder, "missing.cjs"), LIBRARIES)).toEqual([]);
});
