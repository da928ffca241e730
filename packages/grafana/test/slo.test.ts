import { underscoreEscapingWithSuffixes } from "@telltale/core";
import { describe, expect, test } from "vitest";
import { createDashboards, createRules, DEFAULT_SLO, readSlo, type Slo, SloError, writeSlo } from "../src/index.js";

test("nothing said is the defaults", () => {
  for (const text of ["", "# nothing\n", "{}"]) expect(readSlo(text)).toEqual(DEFAULT_SLO);
});

test("what is said replaces what it names, and nothing else", () => {
  const slo = readSlo("requests:\n  p95Ms: 100\nservices: [shop]\n");
  expect(slo).toEqual({ ...DEFAULT_SLO, services: ["shop"], requests: { ...DEFAULT_SLO.requests, p95Ms: 100 } });
});

test("what is written says all there is, and is read again", () => {
  const slo = { ...DEFAULT_SLO, services: ["shop", "cart"], minPerSecond: 2 };
  expect(readSlo(writeSlo(slo))).toEqual(slo);
});

test("shares are percentages in every text, without the dust of binary fractions", () => {
  // 100 times each is 7.000000000000001, 56.99999999999999, 28.999999999999996.
  const slo: Slo = {
    ...DEFAULT_SLO,
    requests: { ...DEFAULT_SLO.requests, errorRatio: 0.07, throughputShare: 0.57 },
    caches: { hitRatioPage: 0.29, hitRatioWarn: 0.57 },
    pools: { utilization: 0.29 },
    runtime: { eventLoopUtilization: 0.57, cpuUtilization: 0.29, heapUtilization: 0.57 },
  };
  const texts =
    createRules(underscoreEscapingWithSuffixes, slo, "http://g") +
    JSON.stringify(createDashboards(underscoreEscapingWithSuffixes, slo));
  for (const shown of ["7 %", "57 %", "29 %"]) expect(texts).toContain(shown);
  expect(texts.match(/[\d.]{8,} %/g)).toBeNull();
});

describe("is refused with what was expected, what came and what to do", () => {
  test.each([
    ["requests: [", /^slo\.yaml is no YAML: .+ at line 1, column \d+; correct that line$/],
    [
      "requests: { p95Ms: 1, p95Ms: 2 }",
      /^slo\.yaml is no YAML: Map keys must be unique at line 1, column \d+; correct/,
    ],
    ["- 1", /^slo\.yaml: the file must hold names with values, got \[1\]$/],
    ["requests:", /^slo\.yaml: requests must hold names with values, got null$/],
    [
      "requets: {}",
      /^slo\.yaml: unknown name requets; known are services, requests, database, caches, pools, runtime, /,
    ],
    ["pools: { used: 1 }", /^slo\.yaml: unknown name pools\.used; known in pools are utilization$/],
    ["constructor: {}", /^slo\.yaml: unknown name constructor; /],
    [
      "requests: { p95Ms: fast }",
      /^slo\.yaml: requests\.p95Ms must be milliseconds above 0, at most 10000, .+, got "fast"; correct it or leave it out for 200$/,
    ],
    ["requests: { p99Ms: 20000 }", /requests\.p99Ms must be milliseconds above 0, at most 10000, .+, got 20000/],
    ["requests: { p99Ms: .inf }", /requests\.p99Ms must be .+, got /],
    ["requests: { errorRatio: 1 }", /requests\.errorRatio must be a share above 0 and below 1, such as 0\.8, got 1;/],
    ["caches: { hitRatioWarn: 90% }", /caches\.hitRatioWarn must be a share above 0 and below 1, .+, got "90%"/],
    ["requests: { p99Growth: 1 }", /requests\.p99Growth must be a factor above 1, such as 2, got 1/],
    ["minPerSecond: -1", /minPerSecond must be events per second, 0 or more, got -1/],
    [
      "services: [a]\n---\nservices: [b]",
      /^slo\.yaml must be one document, got a second one after a line ---; put all into one$/,
    ],
    ['services: ["a\\tb"]', /services must be a list of names of jobs in Prometheus, .+, got \["a\\tb"\]; correct it/],
    ['services: ["\\ud800"]', /services must be a list of names of jobs in Prometheus, such as \[shop\], got /],
    ["services: shop", /services must be a list of names of jobs in Prometheus, such as \[shop\], got "shop"/],
    [
      "requests: { p95Ms: 600 }",
      /requests\.p95Ms \(600\) must not be above requests\.p99Ms \(500\); change one of them/,
    ],
    [
      "caches: { hitRatioPage: 0.95 }",
      /caches\.hitRatioPage \(0\.95\) must not be above caches\.hitRatioWarn \(0\.9\)/,
    ],
  ])("%s", (text, expected) => {
    expect(() => readSlo(text)).toThrow(SloError);
    expect(() => readSlo(text)).toThrow(expected);
  });

  test("every problem at once", () => {
    const wrong = "requests: { p95Ms: 0, errorRatio: 2 }\nx: 1";
    try {
      readSlo(wrong, "my.yaml");
      expect.unreachable();
    } catch (error) {
      const { problems } = error as SloError;
      expect(problems).toHaveLength(3);
      for (const problem of problems) expect(problem).toMatch(/^my\.yaml: /);
    }
  });
});
