import { AggregationTemporality } from "@opentelemetry/sdk-metrics";
import { describe, expect, test } from "vitest";
import { buckets, counter, exponential, gauge, histogram, render, upDown } from "./pages.js";

test("a counter, an up-down counter and a gauge", async () => {
  const { lines } = await render([
    counter("orders", [[{ "shop.name": "north" }, 7]], { unit: "{order}", description: "Orders taken." }),
    upDown("queue.size", [[{}, -2.5]], { description: "Waiting." }),
    gauge("load", [[{}, 0.5]], { unit: "1" }),
  ]);
  expect(lines).toEqual([
    "# HELP orders_total Orders taken.",
    "# TYPE orders_total counter",
    'orders_total{shop_name="north"} 7',
    "# HELP queue_size Waiting.",
    "# TYPE queue_size gauge",
    "queue_size -2.5",
    "# TYPE load_ratio gauge",
    "load_ratio 0.5",
  ]);
});

test("a histogram is cumulative and ends in infinity", async () => {
  const { lines } = await render([
    histogram("took", [[{ route: "/" }, buckets([0.1, 1], [2, 3, 1], 6.25)]], { unit: "s", description: "Time." }),
  ]);
  expect(lines).toEqual([
    "# HELP took_seconds Time.",
    "# TYPE took_seconds histogram",
    'took_seconds_bucket{route="/",le="0.1"} 2',
    'took_seconds_bucket{route="/",le="1.0"} 5',
    'took_seconds_bucket{route="/",le="+Inf"} 6',
    'took_seconds_sum{route="/"} 6.25',
    'took_seconds_count{route="/"} 6',
  ]);
});

test("odd bounds: infinite, repeated, none; a sum that is not known is left out", async () => {
  const { lines } = await render([
    histogram("a", [[{}, buckets([1, 1, Infinity], [1, 2, 3, 0])]]),
    histogram("b", [[{}, buckets([], [4], 9)]]),
  ]);
  expect(lines).toEqual([
    "# TYPE a histogram",
    'a_bucket{le="1.0"} 3',
    'a_bucket{le="+Inf"} 6',
    "a_count 6",
    "# TYPE b histogram",
    'b_bucket{le="+Inf"} 4',
    "b_sum 9",
    "b_count 4",
  ]);
});

describe("exponential histograms become buckets at powers of two", () => {
  const none = { offset: 0, bucketCounts: [] };

  test("at scale 1, bounds in between are joined", async () => {
    // Base √2: buckets from index 2 hold (2, 2.83], (2.83, 4], (4, 5.66].
    const value = { count: 8, sum: 30, scale: 1, zeroCount: 1, positive: { offset: 2, bucketCounts: [2, 1, 4] } };
    expect((await render([exponential("x", [[{}, { ...value, negative: none }]])])).lines).toEqual([
      "# TYPE x histogram",
      'x_bucket{le="0.0"} 1',
      'x_bucket{le="4.0"} 4',
      'x_bucket{le="8.0"} 8',
      'x_bucket{le="+Inf"} 8',
      "x_sum 30",
      "x_count 8",
    ]);
  });

  test("at scale -1, buckets are powers of four; gaps are kept", async () => {
    // Base 4: index -1 holds (0.25, 1], index 1 holds (4, 16].
    const value = { count: 5, sum: 20, scale: -1, zeroCount: 0, positive: { offset: -1, bucketCounts: [3, 0, 2] } };
    expect((await render([exponential("x", [[{}, { ...value, negative: none }]])])).lines.slice(1, -2)).toEqual([
      'x_bucket{le="1.0"} 3',
      'x_bucket{le="4.0"} 3',
      'x_bucket{le="16.0"} 5',
      'x_bucket{le="+Inf"} 5',
    ]);
  });

  test("negative values come first, and have no sum, because it may fall", async () => {
    // Base 2: negative index 0 holds [-2, -1), index 1 [-4, -2).
    const value = {
      count: 7,
      sum: -3,
      scale: 0,
      zeroCount: 1,
      positive: { offset: 0, bucketCounts: [1] },
      negative: { offset: 0, bucketCounts: [2, 3] },
    };
    expect((await render([exponential("x", [[{}, value]])])).lines).toEqual([
      "# TYPE x histogram",
      'x_bucket{le="-2.0"} 3',
      'x_bucket{le="-1.0"} 5',
      'x_bucket{le="0.0"} 6',
      'x_bucket{le="2.0"} 7',
      'x_bucket{le="+Inf"} 7',
      "x_count 7",
    ]);
  });

  test("what is above the largest number is in the infinite bucket only", async () => {
    const value = { count: 2, scale: -10, zeroCount: 0, positive: { offset: -1, bucketCounts: [1, 1] } };
    // Base 2^1024: (2^-1024, 1] and (1, infinity).
    expect((await render([exponential("x", [[{}, { ...value, negative: none }]])])).lines.slice(1)).toEqual([
      'x_bucket{le="1.0"} 1',
      'x_bucket{le="+Inf"} 2',
      "x_count 2",
    ]);
  });
});

describe("values", () => {
  test.each([
    [Number.NaN, "NaN"],
    [Infinity, "+Inf"],
    [-Infinity, "-Inf"],
    [1e21, "1e+21"],
    [-0, "0"],
    [0.1 + 0.2, "0.30000000000000004"],
  ])("%s", async (value, expected) => {
    expect((await render([gauge("x", [[{}, value]])])).lines[1]).toBe(`x ${expected}`);
  });
});

describe("labels", () => {
  test.each<[string, Record<string, string | number | boolean | (string | null)[]>, string]>([
    ["numbers, booleans and lists", { a: 1.5, b: false, c: ["x", null] }, `{a="1.5",b="false",c="[\\"x\\",null]"}`],
    ["quotes, backslashes, lines", { a: 'say "\\n"\nover' }, `{a="say \\"\\\\n\\"\\nover"}`],
    ["other scripts and emoji stay", { a: "größe 請求 🎉" }, `{a="größe 請求 🎉"}`],
    ["half a surrogate pair", { a: "x\ud83cy" }, `{a="x\ufffdy"}`],
    ["empty values are no labels", { a: "", b: "x" }, `{b="x"}`],
    ["one label of two attributes", { "a.b": "2", a_b: "1", "a-b": "3" }, `{a_b="3;2;1"}`],
    ["sorted by label", { b: "2", a: "1" }, `{a="1",b="2"}`],
    [
      "names of the exporter step aside",
      { le: "1", "otel.scope.name": "x" },
      `{exported_le="1",exported_otel_scope_name="x"}`,
    ],
    ["reserved names of Prometheus", { __name__: "evil" }, `{_name_="evil"}`],
  ])("%s", async (_, attributes, expected) => {
    expect((await render([gauge("x", [[attributes, 1]])])).lines[1]).toBe(`x${expected} 1`);
  });
});

test("help is one line, and the first that is not empty", async () => {
  const { lines } = await render([
    gauge("x", [[{ n: 1 }, 1]]),
    gauge("x", [[{ n: 2 }, 1]], { description: 'first\nof \\ "two"' }),
    gauge("x", [[{ n: 3 }, 1]], { description: "second" }),
  ]);
  expect(lines).toEqual(['# HELP x first\\nof \\\\ "two"', "# TYPE x gauge", 'x{n="1"} 1', 'x{n="2"} 1', 'x{n="3"} 1']);
});

describe("one family per name", () => {
  const scopes = (...names: string[]) =>
    names.map((name, n) => ({ scope: { name, version: `${n}.0` }, metrics: [counter("jobs", [[{}, n + 1]])] }));

  test("across scopes, told apart by their labels", async () => {
    expect((await render([], { scopeMetrics: scopes("a", "b"), labelsScope: () => true })).lines).toEqual([
      "# TYPE jobs_total counter",
      'jobs_total{otel_scope_name="a",otel_scope_version="0.0"} 1',
      'jobs_total{otel_scope_name="b",otel_scope_version="1.0"} 2',
    ]);
  });

  test("without scope labels what adds up is added", async () => {
    expect(await render([], { scopeMetrics: scopes("a", "b") })).toMatchObject({
      lines: ["# TYPE jobs_total counter", "jobs_total 3"],
      dropped: [],
    });
    const two = [
      histogram("took", [[{}, buckets([1], [1, 2], 5)]]),
      histogram("took", [[{}, buckets([1], [10, 20], 50)]]),
    ];
    expect((await render(two)).lines.slice(1)).toEqual([
      'took_bucket{le="1.0"} 11',
      'took_bucket{le="+Inf"} 33',
      "took_sum 55",
      "took_count 33",
    ]);
  });

  test("what does not add up: the first stays", async () => {
    const gauges = [gauge("x", [[{ "a.b": 1 }, 1]]), gauge("x", [[{ a_b: 1 }, 2]])];
    expect(await render(gauges)).toMatchObject({
      lines: ["# TYPE x gauge", 'x{a_b="1"} 1'],
      dropped: [["duplicate", "x"]],
    });
    const histograms = [
      histogram("y", [[{}, buckets([1], [1, 0], 1)]]),
      histogram("y", [[{}, buckets([2], [1, 0], 1)]]),
    ];
    expect((await render(histograms)).dropped).toEqual([["duplicate", "y"]]);
  });

  test("the same set in another order is the same series", async () => {
    const twice = counter("x", [
      [{ "a.b": 1, a_c: 2 }, 1],
      [{ a_b: 1, "a.c": 2 }, 1],
    ]);
    expect((await render([twice])).lines.slice(1)).toEqual(['x_total{a_b="1",a_c="2"} 2']);
  });

  test("of another type: the first stays", async () => {
    expect(
      await render([gauge("x", [[{}, 1]]), histogram("x", [[{}, buckets([], [1])]]), upDown("x", [[{ n: 1 }, 2]])]),
    ).toMatchObject({
      lines: ["# TYPE x gauge", "x 1", 'x{n="1"} 2'],
      dropped: [["type", "x"]],
    });
  });

  test.each(["_count", "_sum", "_bucket"])("a gauge x%s does not meet the histogram x", async (suffix) => {
    const took = histogram("x", [[{}, buckets([], [1])]]);
    const other = gauge(`x${suffix}`, [[{}, 1]]);
    expect((await render([took, other])).dropped).toEqual([["type", `x${suffix}`]]);
    expect((await render([other, took])).dropped).toEqual([["type", "x"]]);
  });
});

test("delta sums and nameless metrics are left out", async () => {
  const delta = { ...counter("x", [[{}, 1]]), aggregationTemporality: AggregationTemporality.DELTA };
  const nameless = gauge("!?", [[{}, 1]]);
  expect(await render([delta, nameless])).toMatchObject({
    lines: [],
    dropped: [
      ["temporality", "x"],
      ["name", "!?"],
    ],
  });
});

test("a metric without points is nothing, and keeps no name", async () => {
  expect(
    await render([gauge("x", []), counter("x_total", []), histogram("x", [[{}, buckets([], [1])]])]),
  ).toMatchObject({
    lines: ["# TYPE x histogram", 'x_bucket{le="+Inf"} 1', "x_count 1"],
    dropped: [],
  });
});

test("the resource is target_info, and nobody else's", async () => {
  const resource = { attributes: { "service.name": "shop", "service.instance.id": "1", "host.ip": ["10.0.0.1"] } };
  const { lines, dropped } = await render([gauge("target_info", [[{}, 7]])], { resource });
  expect(lines.slice(1)).toEqual([
    "# TYPE target_info gauge",
    'target_info{host_ip="[\\"10.0.0.1\\"]",service_instance_id="1",service_name="shop"} 1',
  ]);
  expect(dropped).toEqual([["type", "target_info"]]);
});
