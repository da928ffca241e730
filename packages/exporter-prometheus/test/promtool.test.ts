import { spawnSync } from "node:child_process";
import type { Attributes } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { describeWith } from "@telltale/test/describe-with";
import {
  type Arbitrary,
  array,
  assert,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  dictionary,
  double,
  integer,
  nat,
  oneof,
  record,
  string,
  tuple,
  uniqueArray,
} from "fast-check";
import { expect, test } from "vitest";
import { buckets, counter, exponential, gauge, histogram, render, upDown } from "./pages.js";

/** What promtool says of a page. Its exit code is 1 where the page does not parse, 3 where it has advice. */
function check(lines: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: lines.map((line) => `${line}\n`).join(""),
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

const key = oneof(
  string({ unit: "binary", maxLength: 12 }),
  constantFrom("le", "quantile", "__name__", "a.b", "a_b", "a-b", "job", "", "1", "otel.scope.name"),
);
const attribute = oneof(
  string({ unit: "binary", maxLength: 20 }),
  string({ unit: constantFrom('"', "\\", "\n", "\r", "{", "}", "n", "\ud800", "\u0000"), maxLength: 8 }),
  double(),
  boolean(),
  array(string()),
);
const attributes: Arbitrary<Attributes> = dictionary(key, attribute, { maxKeys: 5 });
const naming = record({
  unit: oneof(constantFrom("s", "By", "1", "{x}", "By/s", "%", ""), string({ unit: "binary", maxLength: 6 })),
  description: string({ unit: "binary", maxLength: 30 }),
});
const name = oneof(
  string({ unit: "binary", maxLength: 10 }),
  constantFrom("x", "x.count", "x_sum", "x.bucket", "x.total", "target.info", "x.seconds"),
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
const metric: Arbitrary<MetricData> = oneof(
  tuple(name, points(double()), naming).map((of) => gauge(...of)),
  tuple(name, points(double()), naming).map((of) => upDown(...of)),
  tuple(name, points(double({ min: 0, noNaN: true })), naming).map((of) => counter(...of)),
  tuple(name, points(fixed), naming).map((of) => histogram(...of)),
  tuple(name, points(scaled), naming).map((of) => exponential(...of)),
);

describeWith(["prometheus"], "promtool", () => {
  test("has nothing to say of an ordinary page", async () => {
    const { lines } = await render(
      [
        counter("orders", [[{ shop: "a" }, 1]], { unit: "{order}", description: "Orders." }),
        gauge("load", [[{}, 0.5]], { unit: "1", description: "Load." }),
        histogram("took", [[{}, buckets([0.1, 1], [1, 2, 3], 4)]], { unit: "s", description: "Time." }),
      ],
      { resource: { attributes: { "service.name": "shop" } } },
    );
    expect(check(lines)).toEqual({ status: 0, output: "" });
  });

  test("refuses what does not parse, so that this file proves something", () => {
    expect(check(['x{a="1",a="2"} 1'])).toMatchObject({ status: 1 });
    expect(check(['x{a="\\"} 1'])).toMatchObject({ status: 1 });
  });

  test("parses whatever metrics there are", async () => {
    const page = array(metric, { minLength: 1, maxLength: 60 });
    await assert(
      asyncProperty(page, attributes, async (metrics, resource) => {
        const { lines } = await render(metrics, { resource: { attributes: resource } });
        const { status, output } = check(lines);
        expect(status === 0 || status === 3 ? "" : `${status}: ${output}`).toBe("");
        // promtool does not look for a series that comes twice; Prometheus refuses it.
        const series = lines
          .filter((line) => !line.startsWith("#"))
          .map((line) => line.slice(0, line.lastIndexOf(" ")));
        expect(new Set(series).size).toBe(series.length);
      }),
      { numRuns: 60 },
    );
  });
});
