import { expect, test } from "vitest";
import { drawChart } from "../src/chart.js";
import { endpointResult, loadResult, results } from "./a-result.js";

const svg = drawChart(
  results({
    load: {
      item: endpointResult({ agent: loadResult(4), bare: loadResult(1), telltale: loadResult(1.25) }),
      multi: endpointResult({ agent: loadResult(2), bare: loadResult(1) }),
    },
  }),
);
const bars = (kind: string) =>
  [...svg.matchAll(new RegExp(`<rect class="${kind}" x="128" y="(\\d+)" width="([\\d.]+)"`, "g"))].map(([, , width]) =>
    Number(width),
  );

test("bars are as long as their figures, the cheapest first", () => {
  const [bare = 0, telltale, agent] = bars("item");
  expect(telltale).toBeCloseTo(bare * 1.25, 0);
  expect(agent).toBeCloseTo(bare * 4, 0);
  expect(bars("multi")).toEqual([bare, bare * 2]);
});

test("names and figures are there, in the order of the bars", () => {
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
  expect(texts.filter((text) => /^(bare|telltale|agent|[\d.]+)$/.test(text ?? ""))).toEqual(
    ["bare 1.00 1.00", "telltale 1.25", "agent 4.00 2.00"].flatMap((row) => row.split(" ")),
  );
});

test("it is closed XML, for light and dark", () => {
  expect(svg.match(/<(svg|text|style)\b/g)?.length).toBe(svg.match(/<\/(svg|text|style)>/g)?.length);
  expect(svg).toContain("prefers-color-scheme: dark");
});

test("no load, no chart", () => {
  expect(drawChart(results({}))).toBe("");
});
