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

test("it is closed XML", () => {
  expect(svg.match(/<(svg|text|style)\b/g)?.length).toBe(svg.match(/<\/(svg|text|style)>/g)?.length);
});

// https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio
const luminance = (color: string): number => {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (one: string, other: string): number => {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
};

test.each(["#ffffff", "#0d1117"])("its texts can be read on %s", (background) => {
  const colors = [...svg.matchAll(/(?:text|\.small|\.ours) \{[^}]*fill: (#\w{6})/g)].map(([, color = ""]) => color);
  expect(colors.length).toBeGreaterThan(1);
  for (const color of colors) expect(contrast(color, background)).toBeGreaterThan(3);
});

test("no load, no chart", () => {
  expect(drawChart(results({}))).toBe("");
});
