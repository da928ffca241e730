import { describe, expect, test } from "vitest";
import { OptionError, parseOptions } from "../src/options.js";
import { copiesOf, VARIANTS } from "../src/variants.js";

test("by default all variants are compared, under load and at start-up", () => {
  const options = parseOptions([]);
  expect([...options.parts]).toEqual(["load", "startup"]);
  expect(options.endpoints).toEqual(["item", "multi"]);
  expect(options.variants).toEqual(VARIANTS.map(({ name }) => name));
});

test.each([
  { args: ["--startup"], parts: ["startup"] },
  { args: ["--soak", "--scrape"], parts: ["soak", "scrape"] },
  { args: ["--peers"], parts: ["peers"] },
  { args: ["--check"], parts: ["load", "startup"] },
])("$args does $parts", ({ args, parts }) => {
  expect([...parseOptions(args).parts]).toEqual(parts);
});

test.each([
  { text: "telltale", variants: ["bare", "telltale"] },
  { text: "dd-trace, bare,telltale", variants: ["bare", "dd-trace", "telltale"] },
  { text: "own,telltale", includes: "telltale-sdk", excludes: "otel-min" },
  { text: "peers", includes: "otel-min", excludes: "telltale" },
])("--variants $text", ({ text, variants, includes, excludes }) => {
  const found = parseOptions(["--variants", text]).variants;
  expect(found[0]).toBe("bare");
  if (variants !== undefined) expect(found).toEqual(variants);
  if (includes !== undefined) expect(found).toContain(includes);
  expect(found).not.toContain(excludes);
});

test("a run of some variants, Telltale among them, may become the reference", () => {
  expect(parseOptions(["--keep"]).keep).toBe(true);
  expect(
    parseOptions(["--keep", "--variants", "telltale,dd-trace", "--rounds", "6", "--json", "a.json"]),
  ).toMatchObject({
    keep: true,
    variants: ["bare", "telltale", "dd-trace"],
  });
});

test.each([["--soak"], ["--soak", "--scrape"], ["--soak", "--variants", "telltale,dd-trace"], ["--soak", "--quick"]])(
  "%s %s %s needs telltale and the bare app only",
  (...args) => {
    expect(parseOptions(args).variants).toEqual(["bare", "telltale"]);
  },
);

test("a soak beside start-ups is one of their variants", () => {
  expect(parseOptions(["--soak", "--startup", "--variants", "dd-trace,telltale"]).variants).toContain("dd-trace");
  expect(parseOptions(["--peers", "--variants", "dd-trace"]).variants).toEqual(["bare", "dd-trace"]);
});

test("Telltale's variants have as many servers as the bare app, another agent one", () => {
  const copies = VARIANTS.map((variant) => [variant.name, copiesOf(variant, parseOptions([]).servers)]);
  expect(Object.fromEntries(copies)).toMatchObject({
    bare: 3,
    floor: 3,
    telltale: 3,
    "telltale-sdk": 3,
    "dd-trace": 1,
  });
});

test("a check needs Telltale's own variants only", () => {
  expect(parseOptions(["--check"]).variants).toContain("telltale-metrics");
  expect(parseOptions(["--check"]).variants).not.toContain("sentry");
});

test("figures are read as people write them", () => {
  const options = parseOptions([
    "--soak",
    "--requests",
    "2,000_000",
    "--rounds",
    "3",
    "--servers",
    "5",
    "--json",
    "a.json",
  ]);
  expect(options).toMatchObject({ soakRequests: 2_000_000, rounds: 3, servers: 5, json: "a.json" });
});

describe("says what is wrong with", () => {
  test.each([
    { args: ["--fast"], message: /^Unknown option '--fast'.*--quick/s },
    { args: ["fast"], message: /^Unexpected argument 'fast'/ },
    { args: ["--rounds"], message: /^Option '--rounds <value>' argument missing/ },
    { args: ["--rounds", "many"], message: /^--rounds must be a whole number above 0, got "many"$/ },
    { args: ["--requests", "0"], message: /^--requests must be a whole number above 0, got "0"$/ },
    { args: ["--rounds", "1.5"], message: /got "1\.5"$/ },
    { args: ["--variants", "telltale,datadog"], message: /^--variants: there is no "datadog"; there are .*dd-trace/ },
    { args: ["--keep", "--startup"], message: /^--keep goes with .* only, not with --startup$/ },
    { args: ["--keep", "--endpoint", "item"], message: /^--keep goes with .* only, not with --endpoint$/ },
    { args: ["--keep", "--requests", "10"], message: /^--keep goes with .* only, not with --requests$/ },
    { args: ["--keep", "--servers", "2"], message: /^--keep goes with .* only, not with --servers$/ },
    { args: ["--quick", "--keep"], message: /^--keep goes with .* only, not with --quick$/ },
    { args: ["--check", "--keep"], message: /^--keep goes with .* only, not with --check$/ },
    { args: ["--keep", "--variants", "dd-trace"], message: /^--keep needs telltale among the --variants$/ },
    {
      args: ["--soak", "--startup", "--variants", "dd-trace"],
      message: /^--soak needs telltale among the --variants$/,
    },
    { args: ["--soak", "--variants", "dd-trace"], message: /^--soak needs telltale among the --variants$/ },
    { args: ["--endpoint", "all"], message: /^--endpoint must be item, multi or both, got "all"$/ },
  ])("$args", ({ args, message }) => {
    expect(() => parseOptions(args)).toThrow(OptionError);
    expect(() => parseOptions(args)).toThrow(message);
  });
});
