import { describe, expect, test } from "vitest";
import type { Exemplar } from "../src/index.js";
import { buckets, counter, exponential, gauge, histogram, render, upDown, withExemplars } from "./pages.js";

const accept = "application/openmetrics-text;version=1.0.0";
const utf8 = `${accept};escaping=allow-utf-8`;

const exemplar = (value: number, digit = "a"): Exemplar => ({
  value,
  timestamp: [1_700_000_000, 12_345_678],
  traceId: digit.repeat(32),
  spanId: digit.repeat(16),
});
const shown = (value: string, digit = "a") =>
  ` # {trace_id="${digit.repeat(32)}",span_id="${digit.repeat(16)}"} ${value} 1700000000.012`;

test("families without _total, units, an info, and an end", async () => {
  const { lines } = await render(
    [
      counter("orders", [[{ "shop.name": "north" }, 7]], {
        unit: "{order}",
        description: 'Orders "taken"\nat \\ noon.',
      }),
      counter("process.cpu.time", [[{}, 2.5]], { unit: "s" }),
      gauge("load", [[{}, 0.5]], { unit: "1" }),
      upDown("queue", [[{}, -3]], { unit: "By" }),
    ],
    { accept, resource: { attributes: { "service.name": "shop" } } },
  );
  expect(lines).toEqual([
    "# HELP target What this process is.",
    "# TYPE target info",
    'target_info{service_name="shop"} 1',
    '# HELP orders Orders \\"taken\\"\\nat \\\\ noon.',
    "# TYPE orders counter",
    'orders_total{shop_name="north"} 7',
    "# TYPE process_cpu_time_seconds counter",
    "# UNIT process_cpu_time_seconds seconds",
    "process_cpu_time_seconds_total 2.5",
    "# TYPE load_ratio gauge",
    "# UNIT load_ratio ratio",
    "load_ratio 0.5",
    "# TYPE queue_bytes gauge",
    "# UNIT queue_bytes bytes",
    "queue_bytes -3",
    "# EOF",
  ]);
});

test("no metrics are a page with an end", async () => {
  expect((await render([], { accept })).lines).toEqual(["# EOF"]);
});

describe("exemplars", () => {
  test("each bucket has the greatest that lies in it, a counter the last; gauges and text 0.0.4 have none", async () => {
    const took = histogram("took", [[{ a: "1" }, buckets([0.5, 1, 1, 5], [1, 1, 0, 1, 1], 9)]]);
    const metrics = () => [
      withExemplars(took, [exemplar(0.5), exemplar(0.2, "b"), exemplar(1, "c"), exemplar(70, "d")]),
      withExemplars(counter("orders", [[{}, 7]]), [exemplar(3, "e"), exemplar(2, "f")]),
      withExemplars(gauge("load", [[{}, 1]]), [exemplar(1)]),
    ];
    const { lines } = await render(metrics(), { accept });
    expect(lines.filter((line) => !line.startsWith("#"))).toEqual([
      `took_bucket{a="1",le="0.5"} 1${shown("0.5")}`,
      `took_bucket{a="1",le="1.0"} 2${shown("1", "c")}`,
      'took_bucket{a="1",le="5.0"} 3',
      `took_bucket{a="1",le="+Inf"} 4${shown("70", "d")}`,
      'took_sum{a="1"} 9',
      'took_count{a="1"} 4',
      `orders_total 7${shown("2", "f")}`,
      "load 1",
    ]);
    expect((await render(metrics())).lines.join("\n")).not.toContain("trace_id");
  });

  test.each([
    ["an id of another length", { traceId: "a" }],
    ["an id of other characters", { spanId: 'a"} 1 #        ' }],
    ["no number", { value: Number.NaN }],
    ["a time that is none", { timestamp: [Number.NaN, 0] as [number, number] }],
    ["a time before all", { timestamp: [1, -1] as [number, number] }],
  ])("%s: it is left out", async (_, wrong) => {
    const metric = withExemplars(counter("x", [[{}, 1]]), [{ ...exemplar(1), ...wrong }]);
    expect((await render([metric], { accept })).lines[1]).toBe("x_total 1");
  });

  test("two series that become one keep those of both", async () => {
    const one = (value: number) => withExemplars(histogram("took", [[{}, buckets([1], [1, 0], 1)]]), [exemplar(value)]);
    const { lines } = await render([one(0.3), one(3)], { accept });
    expect(lines.slice(1, 3)).toEqual([
      `took_bucket{le="1.0"} 2${shown("0.3")}`,
      `took_bucket{le="+Inf"} 2${shown("3")}`,
    ]);
  });
});

describe("what OpenMetrics has no form for", () => {
  test("a counter that does not end in _total is of unknown type, and has no exemplars", async () => {
    const metric = withExemplars(counter("orders", [[{}, 7]]), [exemplar(1)]);
    const { lines } = await render([metric], { accept, naming: "UnderscoreEscapingWithoutSuffixes" });
    expect(lines).toEqual(["# TYPE orders unknown", "orders 7", "# EOF"]);
  });

  test("a counter whose family another metric has", async () => {
    const { lines, dropped } = await render([counter("jobs", [[{}, 1]]), gauge("jobs", [[{}, 2]])], { accept });
    expect(lines).toEqual(["# TYPE jobs_total unknown", "jobs_total 1", "# TYPE jobs gauge", "jobs 2", "# EOF"]);
    expect(dropped).toEqual([]);
  });

  test("target_info beside a metric called target", async () => {
    const { lines } = await render([gauge("target", [[{}, 2]])], { accept, resource: { attributes: { a: 1 } } });
    expect(lines.slice(1, 4)).toEqual(["# TYPE target_info gauge", 'target_info{a="1"} 1', "# TYPE target gauge"]);
  });

  test("a histogram without a sum, or with one that may fall, has no count either", async () => {
    const none = histogram("x", [[{}, buckets([1], [1, 2])]]);
    const below = histogram("y", [[{}, buckets([-1], [1, 2], 3)]]);
    const broken = histogram("z", [[{}, buckets([1], [1, 2], Number.NaN)]]);
    expect((await render([none, below, broken], { accept })).lines.filter((line) => /sum|count/.test(line))).toEqual(
      [],
    );
    expect((await render([none, below, broken])).lines.filter((line) => /sum|count/.test(line))).toEqual([
      "x_count 3",
      "y_count 3",
      "z_count 3",
    ]);
  });

  test("totals below zero or no number are left out, in every format", async () => {
    const metric = counter("x", [
      [{ n: 1 }, Number.NaN],
      [{ n: 2 }, -1],
      [{ n: 3 }, Infinity],
    ]);
    for (const asked of [accept, "text/plain"]) {
      const { lines, dropped } = await render([metric], { accept: asked });
      expect(lines[1]).toBe('x_total{n="3"} +Inf');
      expect(dropped).toEqual([["value", "x"]]);
    }
  });
});

test.each([
  [1, "1.0"],
  [0, "0.0"],
  [0.005, "0.005"],
  [0.0001, "0.0001"],
  [0.00001, "1e-05"],
  [-2.5, "-2.5"],
  [100_000, "100000.0"],
  [1_000_000, "1e+06"],
  [1_048_576, "1.048576e+06"],
  [1e100, "1e+100"],
  [5e-324, "5e-324"],
  [-Infinity, "-Inf"],
])("the bound %s is %s, as Prometheus 3 has it", async (bound, expected) => {
  const { lines } = await render([histogram("x", [[{}, buckets([bound], [1, 0])]])]);
  expect(lines[1]).toBe(`x_bucket{le="${expected}"} 1`);
});

describe("names that Prometheus 2 refuses", () => {
  const metrics = [
    counter('a"b\\c\nd', [[{ "http.route": "/", größe: 1 }, 7]]),
    gauge("plain:name", [[{ plain: 1, "co:lon": 2 }, 1]]),
    histogram("http.server.request.duration", [[{}, buckets([1], [1, 0], 1)]], { unit: "s" }),
  ];
  const linesOf = async (asked: string) =>
    (await render(metrics, { accept: asked, naming: "NoUTF8EscapingWithSuffixes" })).lines;

  test("quoted, where the scraper takes them", async () => {
    expect(await linesOf(utf8)).toEqual([
      '# TYPE "a\\"b\\\\c\\nd" counter',
      '{"a\\"b\\\\c\\nd_total","größe"="1","http.route"="/"} 7',
      "# TYPE plain:name gauge",
      'plain:name{"co:lon"="2",plain="1"} 1',
      '# TYPE "http.server.request.duration_seconds" histogram',
      '# UNIT "http.server.request.duration_seconds" seconds',
      '{"http.server.request.duration_seconds_bucket",le="1.0"} 1',
      '{"http.server.request.duration_seconds_bucket",le="+Inf"} 1',
      '{"http.server.request.duration_seconds_sum"} 1',
      '{"http.server.request.duration_seconds_count"} 1',
      "# EOF",
    ]);
  });

  test("in text 0.0.4 likewise", async () => {
    const lines = await linesOf("text/plain;version=0.0.4;escaping=allow-utf-8");
    expect(lines.slice(0, 2)).toEqual([
      '# TYPE "a\\"b\\\\c\\nd_total" counter',
      '{"a\\"b\\\\c\\nd_total","größe"="1","http.route"="/"} 7',
    ]);
  });

  test.each([
    [
      "",
      ['a_b_c_d_total{gr__e="1",http_route="/"} 7', 'plain:name{co_lon="2",plain="1"} 1'],
      "http_server_request_duration_seconds",
    ],
    [
      ";escaping=underscores",
      ['a_b_c_d_total{gr__e="1",http_route="/"} 7', 'plain:name{co_lon="2",plain="1"} 1'],
      "http_server_request_duration_seconds",
    ],
    [
      ";escaping=dots",
      ['a_b_c_d__total{gr__e="1",http_dot_route="/"} 7', 'plain:name{co_lon="2",plain="1"} 1'],
      "http_dot_server_dot_request_dot_duration__seconds",
    ],
    [
      ";escaping=values",
      [
        'U__a_22_b_5c_c_a_d__total{U__gr_f6__df_e="1",U__http_2e_route="/"} 7',
        'plain:name{U__co_3a_lon="2",plain="1"} 1',
      ],
      "U__http_2e_server_2e_request_2e_duration__seconds",
    ],
  ])("escaped%s", async (escaping, [first, second], third) => {
    const lines = await linesOf(accept + escaping);
    expect(lines.filter((line) => /^[^#]/.test(line)).slice(0, 3)).toEqual([
      first,
      second,
      `${third}_bucket{le="1.0"} 1`,
    ]);
  });

  test("what becomes one name when it is escaped is merged or refused, as ever", async () => {
    const same = [counter("a.b", [[{ "c.d": 1 }, 1]]), counter("a/b", [[{ "c/d": 1 }, 2]]), gauge("請求", [[{}, 1]])];
    const options = { naming: "NoTranslation", accept } as const;
    const { lines, dropped } = await render(same, options);
    expect(lines).toEqual(["# TYPE a_b unknown", 'a_b{c_d="1"} 3', "# EOF"]);
    expect(dropped).toEqual([["name", "請求"]]);
    expect((await render(same, { ...options, accept: utf8 })).lines).toHaveLength(7);
  });

  test("no attribute is taken for the name of the metric", async () => {
    const { lines } = await render([gauge("x", [[{ __name__: "evil", "": "none" }, 1]])], {
      naming: "NoTranslation",
      accept: utf8,
    });
    expect(lines[1]).toBe('x{_="none",exported___name__="evil"} 1');
  });
});

describe("exponential histograms", () => {
  const one = (scale: number, offset: number, bucketCounts: number[]) => ({
    scale,
    positive: { offset, bucketCounts },
    negative: { offset: 0, bucketCounts: [] },
    zeroCount: 1,
    count: 1 + bucketCounts.reduce((all, held) => all + held, 0),
    sum: 10,
  });

  test("two that become one series are added, whatever their scales", async () => {
    // (1, 2] and (2, 4]; at scale 1 (2, 2.83] and (2.83, 4].
    const metrics = [exponential("x", [[{}, one(0, 0, [5, 7])]]), exponential("x", [[{}, one(1, 2, [1, 2])]])];
    const { lines } = await render(metrics, { accept });
    expect(lines.slice(1)).toEqual([
      'x_bucket{le="0.0"} 2',
      'x_bucket{le="2.0"} 7',
      'x_bucket{le="4.0"} 17',
      'x_bucket{le="+Inf"} 17',
      "x_sum 20",
      "x_count 17",
      "# EOF",
    ]);
  });

  test("values far apart, at the highest scale, do not become an array of millions", async () => {
    const apart = [
      exponential("x", [[{}, one(20, -10_000_000, [3])]]),
      exponential("x", [[{}, one(20, 10_000_000, [4])]]),
    ];
    const { lines } = await render(apart, { accept });
    expect(lines.slice(1).filter((line, n, all) => line.slice(-2) !== all[n - 1]?.slice(-2))).toEqual([
      'x_bucket{le="0.0"} 2',
      expect.stringMatching(/^x_bucket\{le=".+"\} 5$/),
      expect.stringMatching(/^x_bucket\{le=".+"\} 9$/),
      "x_sum 20",
      "x_count 9",
      "# EOF",
    ]);
  });
});
