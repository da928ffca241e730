import { AggregationTemporality, DataPointType, type MetricData } from "@opentelemetry/sdk-metrics";
import { ValueType } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { collectFamilies, gatherFamilies } from "../src/families.js";
import { createLabelRenderer } from "../src/labels.js";
import { underscoreEscapingWithSuffixes } from "../src/naming.js";
import { runInSlices } from "../src/slices.js";
import { formatText } from "../src/text-format.js";

const SERIES = 10_000;
const naming = underscoreEscapingWithSuffixes;
const options = { naming, labels: createLabelRenderer(naming), labelsScope: () => false, dropped: () => {} };

function page() {
  const metric: MetricData = {
    descriptor: { name: "calls", description: "Calls.", unit: "{call}", valueType: ValueType.INT },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.SUM,
    isMonotonic: true,
    dataPoints: Array.from({ length: SERIES }, (_, n) => ({
      attributes: { route: `/r/${n}`, method: "GET", status: 200 },
      startTime: [0, 0],
      endTime: [1, 0],
      value: n,
    })),
  };
  return { resource: { attributes: {} }, scopeMetrics: [{ scope: { name: "s" }, metrics: [metric] }] };
}

test("a page of 10,000 series is the same in slices, and no slice is long", async () => {
  const whole = [...formatText(collectFamilies(page(), options))].join("");
  expect(whole.split("\n").filter((line) => line.startsWith("calls_total{"))).toHaveLength(SERIES);
  // The best of several: what else runs on the machine makes a slice longer, never shorter.
  let best = Infinity;
  for (let n = 0; n < 10; n++) {
    let longest = 0;
    const timed = <Step, Result>(work: Generator<Step, Result>): Generator<Step, Result> => ({
      ...work,
      next: () => {
        const from = performance.now();
        const step = work.next();
        longest = Math.max(longest, performance.now() - from);
        return step;
      },
      [Symbol.iterator]() {
        return this;
      },
    });
    const text = timed(formatText(await runInSlices(timed(gatherFamilies(page(), options)))));
    expect([...text].join("")).toBe(whole);
    best = Math.min(best, longest);
  }
  expect(best).toBeLessThan(2);
});

test("slices leave the event loop free", async () => {
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  function* work(): Generator<undefined, string> {
    for (const until = performance.now() + 60; performance.now() < until;) yield;
    return "done";
  }
  expect(await runInSlices(work())).toBe("done");
  clearInterval(count);
  expect(turns).toBeGreaterThan(5);
});
