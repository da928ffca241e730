import { readFileSync } from "node:fs";
import { METRIC_ATTRIBUTES, METRICS } from "@telltale/core";
import { expect, test } from "vitest";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** `a.{b, c}` stands for `a.b` and `a.c`. */
function expand(text: string): string[] {
  const [, prefix = "", rests] = /^(.*)\{(.*)\}$/.exec(text) ?? [];
  return rests === undefined ? [text] : rests.split(", ").map((rest) => prefix + rest);
}

function namesIn(cell = ""): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, text = ""]) => expand(text));
}

test("the README's table has every metric, with its attributes", () => {
  const rows = readme
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|"));
  const told = rows.flatMap(([, metrics, attributes]) =>
    namesIn(metrics).map((name) => [name, namesIn(attributes)] as const),
  );
  const keys = Object.keys(METRICS) as (keyof typeof METRICS)[];
  const known = keys.map((key) => [METRICS[key].name, METRIC_ATTRIBUTES[key]] as const);
  const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]) => (one < other ? -1 : 1);
  expect(told.toSorted(byName)).toEqual(known.toSorted(byName));
});
