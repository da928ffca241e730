import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { METRICS } from "@telltale/core";
import { describe, expect, test } from "vitest";
import { INSTRUMENTATIONS } from "../src/instrumentations.js";
import type { InstrumentationName } from "../src/config/options.js";
import { UPSTREAM, UPSTREAM_NAMES } from "../src/upstream/known.js";

// docs/libraries.md is compared with the code: a new instrumentation needs a row for each library that it patches, and a section.

const page = readFileSync(fileURLToPath(new URL("../../../docs/libraries.md", import.meta.url)), "utf8");
const names = Object.keys(INSTRUMENTATIONS) as InstrumentationName[];

interface Row {
  readonly name: string;
  readonly library: string;
  readonly versions: string;
  readonly modules: string;
  readonly calls: string;
}

const rows: Row[] = page
  .split("\n")
  .filter((line) => /^\| `\w[\w-]*` +\| `/.test(line))
  .map((line) => {
    const [, name = "", library = "", versions = "", modules = "", calls = ""] = line
      .split("|")
      .map((cell) => cell.trim().replaceAll("`", ""));
    return { name, library, versions, modules, calls };
  });

const rowsOf = (wanted: string) => rows.filter(({ name }) => name === wanted);

describe.each(names)("docs/libraries.md: %s", (name) => {
  const { supports } = INSTRUMENTATIONS[name]({ packageName: undefined }, "").state;

  test("has a row for each of its libraries, with the versions that the code has", () => {
    const patched = rowsOf(name).filter(({ versions }) => versions !== "built in");
    const expected = supports.map(({ module, majors: [oldest, newest] }) => ({
      library: module,
      versions: oldest === newest ? `${oldest}` : `${oldest} to ${newest}`,
    }));
    expect(patched.map(({ library, versions }) => ({ library, versions }))).toEqual(expected);
    expect(rowsOf(name).length).toBeGreaterThan(0);
    for (const { modules, calls } of rowsOf(name)) {
      expect(["both", "CommonJS", "ES modules"]).toContain(modules);
      expect(calls).not.toBe("");
    }
  });

  test("has a section that says what is on by default and what is not heard", () => {
    const [, section = ""] = page.split(`\n## \`${name}\`\n`);
    const [own = ""] = section.split("\n## ");
    for (const part of ["Default", "Not heard"]) expect(own).toMatch(new RegExp(`^- \\*\\*${part}\\*\\*: \\S`, "m"));
  });
});

test("there is a row and a section for nothing else", () => {
  expect(rows.filter(({ name }) => !names.includes(name as InstrumentationName))).toEqual([]);
  const sections = [...page.matchAll(/^## `(.+)`$/gm)].map(([, name]) => name);
  expect(sections).toEqual([...new Set(rows.map(({ name }) => name))]);
});

test("every instrumentation of OpenTelemetry's that is used is on the page, and none for what is heard here", () => {
  const [, section = ""] = page.split("\n## Through OpenTelemetry's instrumentations\n");
  const named = [...section.matchAll(/^\| `([\w.-]+)` +\|.*\| `(@[\w./-]+)` +\|$/gm)].map(([, name, upstream]) => [
    name,
    upstream,
  ]);
  expect(named).toEqual(UPSTREAM_NAMES.map((name) => [name, UPSTREAM[name].package]));
  const own = new Set(names.flatMap((name) => INSTRUMENTATIONS[name]({ packageName: undefined }, "").state.modules));
  const libraries = UPSTREAM_NAMES.flatMap((name): readonly string[] => UPSTREAM[name].libraries);
  expect(libraries.filter((library) => own.has(library))).toEqual([]);
  expect(UPSTREAM_NAMES.filter((name) => names.includes(name as never))).toEqual([]);
});

test("the metrics that the page names are recorded", () => {
  const known = new Set<string>(Object.values(METRICS).map(({ name }) => name));
  const named = [...page.matchAll(/`((?:http|db|telltale)\.[\w.]+)`/g)].map(([, name = ""]) => name);
  const others = /^(http\.route|telltale\.library\..*|http\.(ignore|trust)\w+)$/;
  expect(named.filter((name) => !known.has(name) && !others.test(name))).toEqual([]);
  expect(named).toContain("telltale.instrumentation.libraries");
});
