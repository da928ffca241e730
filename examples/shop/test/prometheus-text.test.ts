import { describe, expect, test } from "vitest";
import { parsePrometheusText, sumBy, sumOf } from "../demo/report/prometheus-text.js";

describe("a line of a Prometheus page", () => {
  test.each([
    ["up 1", { name: "up", labels: {}, value: 1 }],
    ["up 1 1700000000000", { name: "up", labels: {}, value: 1 }],
    ['a_total{b="c",d="e"} 1.5e3', { name: "a_total", labels: { b: "c", d: "e" }, value: 1500 }],
    ['a{b="c",} 2', { name: "a", labels: { b: "c" }, value: 2 }],
    ['a{route="/x/{id}",le="+Inf"} 7', { name: "a", labels: { route: "/x/{id}", le: "+Inf" }, value: 7 }],
    [String.raw`a{b="say \"hi\", \\ and\n"} 0`, { name: "a", labels: { b: 'say "hi", \\ and\n' }, value: 0 }],
    [
      'a_bucket{le="0.1"} 3 # {trace_id="4bf92f35",span_id="00f067aa"} 0.054 1700000000.1',
      { name: "a_bucket", labels: { le: "0.1" }, value: 3 },
    ],
    ["a +Inf", { name: "a", labels: {}, value: Infinity }],
    ["a -Inf", { name: "a", labels: {}, value: -Infinity }],
    ["a NaN", { name: "a", labels: {}, value: NaN }],
  ])("%s", (line, expected) => {
    expect(parsePrometheusText(`${line}\n`)).toEqual([expected]);
  });

  test("is a comment or empty", () => {
    expect(parsePrometheusText("# HELP a What it is.\n# TYPE a counter\n\n# EOF\n")).toEqual([]);
  });

  test("that is something else is refused", () => {
    expect(() => parsePrometheusText("<html>")).toThrow("<html>");
  });
});

test("series are added up by key, some left out", () => {
  const samples = parsePrometheusText(`
lookups_total{cache="product",result="hit"} 3
lookups_total{cache="product",result="miss"} 4
lookups_total{cache="listing",result="hit"} 5
other_total{cache="product",result="hit"} 100
`);
  expect(sumOf(samples, "lookups_total")).toBe(12);
  expect(sumOf(samples, "nothing_total")).toBe(0);
  expect(
    sumBy(samples, "lookups_total", ({ cache, result }: Record<string, string>) =>
      result === "hit" ? cache : undefined,
    ),
  ).toEqual(
    new Map([
      ["product", 3],
      ["listing", 5],
    ]),
  );
});
