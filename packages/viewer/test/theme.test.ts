import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("../web/styles/theme.css", import.meta.url), "utf8");
const colors = new Map<string, readonly string[]>();
for (const [, name = "", light = "", dark = ""] of css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)) {
  colors.set(name, [light, dark]);
}

/** As WCAG defines it. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string, theme: number): number {
  const [a = 0, b = 0] = [one, other].map((name) => luminance(colors.get(name)?.[theme] ?? "none"));
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const grounds = ["ground", "raised", "chosen"];
const texts = [...colors.keys()].filter((name) => !/ground|raised|chosen|line|^on-/.test(name));
const themes = [
  ["light", 0],
  ["dark", 1],
] as const;

test("all colours were read, and greys are as bright as they are said to be", () => {
  // #767676 is the lightest grey that text on white may have.
  expect(1.05 / (luminance("#767676") + 0.05)).toBeCloseTo(4.54, 2);
  expect(texts).toEqual(expect.arrayContaining(["text", "text-dim", "accent", "error", "series-8", "sql-parameter"]));
  expect(colors.size).toBe(css.split("light-dark(").length - 1);
});

test.each(themes)("whatever is written in the %s theme can be read", (_, theme) => {
  const pairs = [
    ...texts.flatMap((text) => grounds.map((ground) => [text, ground] as const)),
    ...["error", "warning", "info"].map((name) => [name, `${name}-ground`] as const),
    ["on-accent", "accent"] as const,
  ];
  expect(pairs.filter(([text, ground]) => !(contrast(text, ground, theme) >= 4.5))).toEqual([]);
});

test.each(themes)("edges of what can be pressed are seen in the %s theme", (_, theme) => {
  expect(grounds.filter((ground) => !(contrast("line-strong", ground, theme) >= 3))).toEqual([]);
});
