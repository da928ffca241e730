import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FINDING_KINDS } from "@telltale/insights";
import { describe, expect, test } from "vitest";
import { readAccuracy } from "./insights/scoreboard.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const INSIGHTS = "packages/insights/src/";
const sources = new Map(
  readdirSync(join(root, INSIGHTS), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => [name, read(`${INSIGHTS}${name}`)] as const),
);
const kinds = Object.keys(FINDING_KINDS);

/** Kinds that some detector makes, and not only the table of all kinds. */
const made = new Set(
  kinds.filter((kind) =>
    [...sources].some(([name, text]) => name !== "findings/kinds.ts" && text.includes(`"${kind}"`)),
  ),
);

interface Threshold {
  readonly value: number;
  /** `nPlusOne.minCount`, or a constant with its file. */
  readonly name: string;
  readonly file: string | undefined;
}

/** The table of a page: what, default, where. */
function thresholdsOf(page: string): Threshold[] {
  const found: Threshold[] = [];
  let inTable = false;
  for (const line of page.split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    if (!line.startsWith("|")) inTable = false;
    else if (cells[1] === "threshold") inTable = true;
    else if (inTable && !/^-+$/.test(cells[1] ?? "")) {
      const [, , value = "", where = ""] = cells;
      const [, name = ""] = /`([\w.]+)`/.exec(where) ?? [];
      found.push({
        value: Number(value.replaceAll(",", "")),
        name,
        file: /^fixed: `\w+` in ([\w./-]+\.ts)$/.exec(where)?.[1],
      });
    }
  }
  return found;
}

/** What the code has: the default with which an option is taken, or a constant. */
function valueInCode({ name, file }: Threshold): number | undefined {
  const last = name.split(".").at(-1) ?? name;
  const pattern =
    file === undefined ? new RegExp(`[{,]\\s*${last} = ([\\d_.]+)[,\\s}]`) : new RegExp(`const ${last} = ([\\d_.]+);`);
  const texts = file === undefined ? [...sources.values()] : [sources.get(file) ?? ""];
  for (const text of texts) {
    const match = pattern.exec(text);
    if (match !== null) return Number(match[1]?.replaceAll("_", ""));
  }
  return undefined;
}

/** What options.ts says of each numeric option: its default, by its last name. */
function documentedDefaults(): Map<string, number> {
  const found = new Map<string, number>();
  const text = sources.get("options.ts") ?? "";
  for (const [, comment = "", name = ""] of text.matchAll(
    /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*readonly (\w+)\?: number;/g,
  )) {
    found.set(name, Number(/Default ([\d,.]*\d)/.exec(comment)?.[1]?.replaceAll(",", "")));
  }
  return found;
}

describe.each(kinds)("docs/findings/%s.md", (kind) => {
  const path = `docs/findings/${kind}.md`;

  test("is there, with what every page has, and is found from the index", () => {
    const page = read(path);
    expect(page).toMatch(new RegExp(`^# .+ \\(\`${kind}\`\\)\n`));
    for (const heading of ["How it is found", "How to repair it", "How to silence it"])
      expect(page).toContain(`\n## ${heading}\n`);
    expect(thresholdsOf(page).length).toBeGreaterThan(0);
    expect(read("docs/README.md")).toContain(`[\`${kind}\`](findings/${kind}.md)`);
  });

  // What is being built has its page before it has its code; as soon as the kind is made, both must say the same.
  test.runIf(made.has(kind))("says the thresholds that the code has", () => {
    for (const threshold of thresholdsOf(read(path))) {
      expect(threshold.name, "an option or a constant").not.toBe("");
      expect({ name: threshold.name, value: threshold.value }).toEqual({
        name: threshold.name,
        value: valueInCode(threshold),
      });
    }
  });
});

test("there is a page for nothing else", () => {
  const pages = readdirSync(join(root, "docs/findings")).filter((name) => !["README.md", "accuracy.md"].includes(name));
  expect(pages.toSorted()).toEqual(kinds.map((kind) => `${kind}.md`).toSorted());
});

test("enough kinds are made for these tests to mean something", () => {
  expect(made.size).toBeGreaterThanOrEqual(7);
});

test("every numeric option of insights is on a page, with the default that options.ts and the code have", () => {
  const pages = kinds.flatMap((kind) => thresholdsOf(read(`docs/findings/${kind}.md`)));
  const documented = documentedDefaults();
  expect(documented.size).toBeGreaterThanOrEqual(8);
  for (const [name, value] of documented) {
    const onPages = new Set(
      pages.filter((one) => one.file === undefined && one.name.split(".").at(-1) === name).map((one) => one.value),
    );
    expect({ name, values: [...onPages], code: valueInCode({ name, value, file: undefined }) }).toEqual({
      name,
      values: [value],
      code: value,
    });
  }
});

test.each(readdirSync(join(root, "packages")).filter((name) => name.startsWith("instrumentation-")))(
  "%s: its README shows how to use all of it with a plain SDK",
  (name) => {
    const readme = read(`packages/${name}/README.md`);
    const functions = new Set(read(`packages/${name}/src/index.ts`).match(/\b[a-z]\w*Instrumentation\b/g) ?? []);
    functions.delete("defineInstrumentation");
    expect(functions.size).toBeGreaterThan(0);
    for (const each of functions) expect(readme).toContain(`${each}(`);
    expect(readme).toContain(`from "@telltale/${name}";\n`);
    expect(readme).toMatch(/new NodeSDK\(\{\s*instrumentations: \[/);
  },
);

test("links between documents lead somewhere", () => {
  const documents = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".md"),
  );
  for (const document of documents) {
    for (const [, target = ""] of read(`docs/${document}`).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      expect(existsSync(join(root, "docs", document, "..", target)), `${document}: ${target}`).toBe(true);
    }
  }
});

test("the table of accuracy has the rows of the tests, and no other; how many cases they have, each run compares", () => {
  const tests = readdirSync(join(root, "test/src/insights"))
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => read(`test/src/insights/${name}`));
  const rows = [...readAccuracy().keys()];
  expect(rows.length).toBeGreaterThanOrEqual(10);
  const scored = tests.flatMap((text) => [...text.matchAll(/\bscore\(\s*"([^"]+)"/g)].map(([, kind = ""]) => kind));
  expect(scored.filter((kind) => !rows.includes(kind))).toEqual([]);
  // Some tests score a list of kinds, or of parts of one.
  const names = (kind: string): string => kind.split(": ").at(-1) ?? kind;
  expect(rows.filter((kind) => !tests.some((text) => text.includes(names(kind))))).toEqual([]);
});
