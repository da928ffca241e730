import type { Attributes } from "@opentelemetry/api";
import type { MetricData, ScopeMetrics } from "@opentelemetry/sdk-metrics";
import {
  type Arbitrary,
  array,
  boolean,
  constant,
  constantFrom,
  dictionary,
  double,
  integer,
  nat,
  oneof,
  option,
  record,
  string,
  tuple,
  uniqueArray,
} from "fast-check";
import type { Page } from "../src/index.js";
import { buckets, counter, exponential, gauge, histogram, upDown, withExemplars } from "./pages.js";

const key = oneof(
  string({ unit: "binary", maxLength: 12 }),
  constantFrom("le", "quantile", "__name__", "a.b", "a_b", "a-b", "job", "", "1", "otel.scope.name", "a:b", "größe"),
);
const attribute = oneof(
  string({ unit: "binary", maxLength: 20 }),
  string({ unit: constantFrom('"', "\\", "\n", "\r", "{", "}", "n", "\ud800", "\u0000"), maxLength: 8 }),
  double(),
  boolean(),
  array(string()),
);
export const attributes: Arbitrary<Attributes> = dictionary(key, attribute, { maxKeys: 5 });
const naming = record({
  unit: oneof(constantFrom("s", "By", "1", "{x}", "By/s", "%", ""), string({ unit: "binary", maxLength: 6 })),
  description: string({ unit: "binary", maxLength: 30 }),
});
const name = oneof(
  string({ unit: "binary", maxLength: 10 }),
  constantFrom("x", "x.count", "x_sum", "x.bucket", "x.total", "x_total_total", "x_created", "target.info", "target"),
  constantFrom("x.seconds", "x_seconds", "x_seconds_total", "größe", "請求", 'a"b\\c\nd', "1st", "_", "a:b", "x_info"),
);
const points = <T>(value: Arbitrary<T>) => array(tuple(attributes, value), { maxLength: 3 });
const held = nat({ max: 1e6 });
const fixed = uniqueArray(double({ noNaN: true }), { maxLength: 6 })
  .map((bounds) => bounds.sort((a, b) => a - b))
  .chain((bounds) =>
    tuple(constant(bounds), array(held, { minLength: bounds.length + 1, maxLength: bounds.length + 1 }), double()),
  )
  .map(([bounds, counts, sum]) => buckets(bounds, counts, sum));
const side = record({
  offset: integer({ min: -2000, max: 2000 }),
  bucketCounts: array(held, { maxLength: 8 }),
});
const scaled = record({ scale: integer({ min: -10, max: 20 }), zeroCount: held, positive: side, negative: side }).map(
  (value) => {
    const all = [value.zeroCount, ...value.positive.bucketCounts, ...value.negative.bucketCounts];
    return Object.assign(value, { count: all.reduce((sum, one) => sum + one, 0), sum: 1 });
  },
);
const hex = (length: number) =>
  string({ unit: constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const exemplar = record({
  value: double(),
  timestamp: tuple(nat(), nat({ max: 999_999_999 })),
  traceId: oneof({ weight: 9, arbitrary: hex(32) }, { weight: 1, arbitrary: string({ unit: "binary" }) }),
  spanId: hex(16),
});
const exemplars = option(array(exemplar, { maxLength: 4 }), { nil: undefined });

/** Any metric that an SDK could have, and some that it could not: totals that are NaN, sums below zero. */
export const metric: Arbitrary<MetricData> = oneof(
  tuple(name, points(double()), naming).map((of) => gauge(...of)),
  tuple(name, points(double()), naming).map((of) => upDown(...of)),
  tuple(name, points(oneof(double({ min: 0 }), double(), nat())), naming).map((of) => counter(...of)),
  tuple(name, points(fixed), naming).map((of) => histogram(...of)),
  tuple(name, points(scaled), naming).map((of) => exponential(...of)),
).chain((one) => exemplars.map((some) => (some === undefined ? one : withExemplars(one, some))));

const scope: Arbitrary<ScopeMetrics["scope"]> = record(
  {
    name: string({ unit: "binary", maxLength: 6 }),
    version: string({ maxLength: 4 }),
    schemaUrl: string({ maxLength: 4 }),
  },
  { requiredKeys: ["name"] },
);

/** A page of at most this many metrics. */
export function pageOf(maxMetrics: number): Arbitrary<Page> {
  const half = array(metric, { maxLength: maxMetrics / 2, size: "max" });
  return record({
    resource: record({ attributes }),
    scopeMetrics: array(record({ scope, metrics: half }), { minLength: 1, maxLength: 2 }),
  });
}
