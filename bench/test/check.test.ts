import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkResults, readReference } from "../src/check.js";
import { OptionError } from "../src/options.js";
import { bareResult, endpointResult, loadResult, results, startupResult } from "./a-result.js";

const reference = results({
  load: { item: endpointResult({ telltale: loadResult(1.15, 1.4), "otel-min": loadResult(2.4, 5) }) },
  startup: { telltale: startupResult(60, 15) },
});

test("a reference of another method of measuring is refused, as is one of before methods had numbers", () => {
  expect(readReference(JSON.stringify(reference))).toEqual(reference);
  for (const method of [reference.method - 1, undefined]) {
    const read = () => readReference(JSON.stringify({ ...reference, method }));
    expect(read).toThrow(OptionError);
    expect(read).toThrow(/^--check: .*reference\.json .* another method/);
  }
});

test("the reference that is kept can be compared with", () => {
  const kept = readReference(readFileSync(new URL("../reference.json", import.meta.url), "utf8"));
  expect(checkResults(kept, kept).compared).toBeGreaterThan(0);
});

test("nothing is worse than itself", () => {
  expect(checkResults(reference, reference)).toEqual({ compared: 6, regressions: [] });
});

test("a line for each figure that got worse, with what it was and what it may be", () => {
  const now = results({
    load: { item: endpointResult({ telltale: loadResult(1.21, 1.51) }) },
    startup: { telltale: startupResult(90, 24) },
  });
  expect(checkResults(now, reference)).toEqual({
    compared: 4,
    regressions: [
      "telltale, item: CPU × bare is 1.21, was 1.15 (at most 1.20)",
      "telltale, item: allocated bytes × bare is 1.51, was 1.40 (at most 1.50)",
      "telltale: start-up, ms of CPU added is 90, was 60 (at most 85)",
      "telltale: start-up, MB added is 24, was 15 (at most 23)",
    ],
  });
});

test("better is no regression, nor is a little worse", () => {
  const now = results({
    load: { item: endpointResult({ telltale: loadResult(1.19, 1.2), "otel-min": loadResult(2, 5.05) }) },
  });
  expect(checkResults(now, reference)).toEqual({ compared: 4, regressions: [] });
});

// 10 % of 2.4 is 0.24: the limit is 2.64.
test.each([
  { cpuRatio: 2.63, regressions: 0 },
  { cpuRatio: 2.65, regressions: 1 },
])("where bare servers are 10 % apart, 2.40 may become $cpuRatio: $regressions regressions", (now) => {
  const load = { item: endpointResult({ bare: bareResult(0.95, 1.05), "otel-min": loadResult(now.cpuRatio) }) };
  expect(checkResults(results({ load }), reference).regressions).toHaveLength(now.regressions);
});

test.each([
  { cpuRatio: 1.39, regressions: 0 },
  { cpuRatio: 1.41, regressions: 1 },
])("where a variant's servers were 0.2 apart, 1.30 may become $cpuRatio: $regressions regressions", (now) => {
  const apart = { ...loadResult(1.3), cpuRatio: { median: 1.3, min: 1.2, max: 1.4 } };
  const was = results({ load: { item: endpointResult({ telltale: apart }) } });
  const load = { item: endpointResult({ telltale: loadResult(now.cpuRatio) }) };
  expect(checkResults(results({ load }), was).regressions).toHaveLength(now.regressions);
});

test("what only one of them has is not compared", () => {
  const now = results({ load: { multi: endpointResult({ telltale: loadResult(9) }) } });
  expect(checkResults(now, reference)).toEqual({ compared: 0, regressions: [] });
});

test.each([
  { mbPer500k: 0.9, regressions: 0 },
  { mbPer500k: 1.1, regressions: 1 },
])("a soak that grows by $mbPer500k MB per 500,000 requests", ({ mbPer500k, regressions }) => {
  const soak = {
    variant: "telltale",
    requests: 2_000_000,
    mbPer500k,
    rssMb: { median: 100, min: 99, max: 101 },
    heapAfterGcMb: { warm: 20, end: 20 },
    bare: { mbPer500k: 3, rssMb: { median: 100, min: 99, max: 101 }, heapAfterGcMb: { warm: 20, end: 20 } },
  };
  expect(checkResults(results({ soak }), reference).regressions).toHaveLength(regressions);
});
