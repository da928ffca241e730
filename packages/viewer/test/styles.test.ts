import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const folder = new URL("../web/styles/", import.meta.url);

/** Outside of media queries, where what stands elsewhere is meant to be changed. */
function selectorsIn(file: string): Set<string> {
  const css = readFileSync(new URL(file, folder), "utf8")
    .replaceAll(/\/\*.*?\*\//gs, "")
    .replaceAll(/^@.*?^\}|^@import.*$/gms, "");
  const lists = [...css.matchAll(/([^{}]+)\{/g)].map(([, list = ""]) => list);
  return new Set(lists.flatMap((list) => list.split(",").map((selector) => selector.trim())));
}

// All are on every page: what one calls by a name changes what another one does.
test("no two style sheets are about the same thing", () => {
  const files = readdirSync(folder);
  const places = Map.groupBy(
    files.flatMap((file) => [...selectorsIn(file)].map((selector) => ({ file, selector }))),
    ({ selector }) => selector,
  );
  expect(places.size).toBeGreaterThan(200);
  expect([...places].filter(([, found]) => found.length > 1).map(([selector]) => selector)).toEqual([]);
});
