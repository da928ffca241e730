import { attributes, type Json, ns } from "./otlp-json.js";
import { json, type Post } from "./send.js";

/** Numbers that are none, times that are none, and histograms that do not add up; each in a body of its own, as some may be refused. */
export function oddMetrics(nowMs: number): Post[] {
  const at = { startTimeUnixNano: ns(nowMs - 10_000), timeUnixNano: ns(nowMs - 1_000) };
  const point = (value: Json, values: Json): Json => ({ ...at, ...value, attributes: attributes(values) });
  const odd: unknown[] = ["NaN", "Infinity", "-Infinity", Number.MAX_VALUE, -Number.MAX_VALUE, 5e-324, -0, null];
  const gauge = (name: string, points: readonly Json[]) => ({ name, gauge: { dataPoints: points } });
  const histogram = (name: string, more: Json) => ({
    name,
    histogram: { aggregationTemporality: 2, dataPoints: [{ ...at, count: "10", sum: 5, ...more }] },
  });
  const exponential = (name: string, more: Json) => ({
    name,
    exponentialHistogram: {
      aggregationTemporality: 2,
      dataPoints: [{ ...at, count: "10", sum: 5, zeroCount: "1", ...more }],
    },
  });
  const metrics: readonly (Json & { readonly name: string })[] = [
    gauge(
      "odd.values",
      odd.map((value, index) => point({ asDouble: value }, { index })),
    ),
    // Since 1970, until 2100, backwards.
    gauge(
      "odd.times",
      [0, 4_102_444_800_000, nowMs, nowMs - 86_400_000, nowMs].map((timeMs) => ({
        timeUnixNano: ns(timeMs),
        asInt: "7",
      })),
    ),
    gauge(
      "odd.integers",
      ["9223372036854775807", "-9223372036854775808", "99999999999999999999"].map((value, index) =>
        point({ asInt: value }, { index }),
      ),
    ),
    gauge("", [{ ...at, asDouble: 1 }]),
    gauge("__proto__", [{ ...at, asDouble: 1, attributes: attributes({ constructor: "x", hasOwnProperty: "y" }) }]),
    gauge("n".repeat(10_000), [{ ...at, asDouble: 1 }]),
    gauge("../../etc/passwd", [{ ...at, asDouble: 1 }]),
    gauge(
      "many.series",
      Array.from({ length: 3_000 }, (_, index) => ({
        ...at,
        asDouble: index,
        attributes: attributes({ index: String(index) }),
      })),
    ),
    histogram("buckets.too-few", { bucketCounts: ["1"], explicitBounds: [1, 2, 3] }),
    histogram("buckets.too-many", { bucketCounts: Array.from({ length: 50 }, () => "1"), explicitBounds: [1] }),
    histogram("buckets.none", {}),
    histogram("buckets.unsorted", { bucketCounts: ["1", "2", "3", "4"], explicitBounds: [3, 1, 2] }),
    histogram("buckets.odd", {
      bucketCounts: ["5", "0", "18446744073709551615"],
      explicitBounds: ["NaN", "Infinity"],
      count: "1",
      sum: "NaN",
      min: "Infinity",
      max: "-Infinity",
    }),
    exponential("exponential.far", { scale: 20, positive: { offset: 2_000_000_000, bucketCounts: ["1"] } }),
    exponential("exponential.coarse", {
      scale: -2_000_000_000,
      positive: { offset: -2_000_000_000, bucketCounts: ["1"] },
    }),
    exponential("exponential.wide", {
      scale: 3,
      positive: { offset: 0, bucketCounts: Array.from({ length: 20_000 }, () => "1") },
    }),
    {
      name: "summary.odd",
      summary: {
        dataPoints: [
          {
            ...at,
            count: "5",
            sum: "NaN",
            quantileValues: [
              { quantile: 2, value: "NaN" },
              { quantile: -1, value: 1 },
            ],
          },
        ],
      },
    },
    {
      name: "two.at.once",
      gauge: { dataPoints: [{ ...at, asDouble: 1 }] },
      sum: { dataPoints: [{ ...at, asDouble: 2 }] },
    },
    { name: "none.at.all" },
    {
      name: "sum.down",
      sum: {
        isMonotonic: true,
        aggregationTemporality: 2,
        dataPoints: [5, 3, 9, 1].map((value, index) => ({
          startTimeUnixNano: ns(nowMs - 60_000),
          timeUnixNano: ns(nowMs - 5_000 + index * 1000),
          asDouble: value,
        })),
      },
    },
  ];
  const resource = { attributes: attributes({ "service.name": "shapes" }) };
  return metrics.map((metric) =>
    json("/v1/metrics", `odd metric ${metric.name.slice(0, 50)}`, {
      resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [metric] }] }],
    }),
  );
}
