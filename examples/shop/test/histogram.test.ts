import { describe, expect, test } from "vitest";
import { countAbove, histogramsBy, percentile } from "../demo/report/histogram.js";
import { parsePrometheusText } from "../demo/report/prometheus-text.js";

// 10 observations up to 0.1, 20 up to 0.2, 10 up to 0.5, 10 above.
const histogram = {
  count: 50,
  sum: 12,
  buckets: [
    { le: 0.1, count: 10 },
    { le: 0.2, count: 30 },
    { le: 0.5, count: 40 },
    { le: Infinity, count: 50 },
  ],
};

describe("percentile", () => {
  test.each([
    [0.1, 0.05, "the 5th of 10 in the first bucket, which begins at 0"],
    [0.2, 0.1, "the last one of the first bucket: its bound"],
    [0.5, 0.175, "rank 25, the 15th of 20 between 0.1 and 0.2"],
    [0.7, 0.35, "rank 35, the 5th of 10 between 0.2 and 0.5"],
    [0.8, 0.5, "the last one below 0.5"],
    [0.95, 0.5, "above every finite bound: the highest of them"],
  ])("%d is %d: %s", (share, expected) => {
    expect(percentile(histogram, share)).toBeCloseTo(expected, 12);
  });

  test("skips empty buckets", () => {
    const late = {
      buckets: [
        { le: 1, count: 0 },
        { le: 2, count: 0 },
        { le: 4, count: 4 },
        { le: Infinity, count: 4 },
      ],
    };
    expect(percentile(late, 0.5)).toBe(3);
    expect(percentile(late, 0)).toBe(2);
  });

  test("of nothing is not a number", () => {
    expect(percentile({ buckets: [] }, 0.5)).toBeNaN();
    expect(
      percentile(
        {
          buckets: [
            { le: 1, count: 0 },
            { le: Infinity, count: 0 },
          ],
        },
        0.5,
      ),
    ).toBeNaN();
  });
});

test("counts what lies above a bound", () => {
  expect(countAbove(histogram, 0.1)).toBe(40);
  expect(countAbove(histogram, 0.5)).toBe(10);
  expect(countAbove(histogram, 0.3)).toBeNaN();
});

test("histograms of several series are added up by key", () => {
  const samples = parsePrometheusText(`
# TYPE latency_seconds histogram
latency_seconds_bucket{route="/a",status="200",le="1"} 3
latency_seconds_bucket{route="/a",status="200",le="+Inf"} 4
latency_seconds_sum{route="/a",status="200"} 5.5
latency_seconds_count{route="/a",status="200"} 4
latency_seconds_bucket{route="/a",status="500",le="1"} 1
latency_seconds_bucket{route="/a",status="500",le="+Inf"} 1
latency_seconds_sum{route="/a",status="500"} 0.5
latency_seconds_count{route="/a",status="500"} 1
latency_seconds_bucket{route="/b",status="200",le="1"} 7
latency_seconds_bucket{route="/b",status="200",le="+Inf"} 7
latency_seconds_sum{route="/b",status="200"} 2
latency_seconds_count{route="/b",status="200"} 7
latency_seconds_limit{route="/b"} 99
`);
  expect(histogramsBy(samples, "latency_seconds", ({ route }: { route: string }) => route)).toEqual(
    new Map([
      [
        "/a",
        {
          count: 5,
          sum: 6,
          buckets: [
            { le: 1, count: 4 },
            { le: Infinity, count: 5 },
          ],
        },
      ],
      [
        "/b",
        {
          count: 7,
          sum: 2,
          buckets: [
            { le: 1, count: 7 },
            { le: Infinity, count: 7 },
          ],
        },
      ],
    ]),
  );
});
