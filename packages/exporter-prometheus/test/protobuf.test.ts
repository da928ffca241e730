import type { ExponentialHistogram } from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import { buckets, counter, exponential, gauge, histogram, render, withExemplars } from "./pages.js";

const accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/** A message as [field, value] in its order; bytes are what `shape` says of the field: a text, a message, packed numbers. */
type Message = [field: number, value: unknown][];
type Shape = { readonly [field: number]: Shape | "text" | "packed" };

const LABEL: Shape = { 1: "text", 2: "text" };
const TIME: Shape = {};
const EXEMPLAR: Shape = { 1: LABEL, 3: TIME };
const SPAN: Shape = {};
const HISTOGRAM: Shape = { 3: { 3: EXEMPLAR }, 9: SPAN, 10: "packed", 12: SPAN, 13: "packed", 15: TIME };
const METRIC: Shape = { 1: LABEL, 2: {}, 3: { 2: EXEMPLAR, 3: TIME }, 7: HISTOGRAM };
const FAMILY: Shape = { 1: "text", 2: "text", 4: METRIC, 5: "text" };

class Reader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes.readUInt8(this.at++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  take(): Buffer {
    const length = this.varint();
    expect(this.at + length).toBeLessThanOrEqual(this.bytes.length);
    return this.bytes.subarray(this.at, (this.at += length));
  }

  message(shape: Shape): Message {
    const result: Message = [];
    while (this.at < this.bytes.length) {
      const tag = this.varint();
      const field = tag >> 3;
      if ((tag & 7) === 0) result.push([field, this.varint()]);
      else if ((tag & 7) === 1) result.push([field, this.bytes.readDoubleLE((this.at += 8) - 8)]);
      else result.push([field, read(this.take(), shape[field])]);
    }
    return result;
  }
}

function read(bytes: Buffer, shape: Shape | "text" | "packed" | undefined): unknown {
  if (shape === "text") return bytes.toString();
  const reader = new Reader(bytes);
  if (shape !== "packed") return reader.message(shape ?? {});
  const numbers: number[] = [];
  while (reader.at < bytes.length) numbers.push(signed(reader.varint()));
  return numbers;
}

const signed = (zigzag: number) => (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2);

function families(page: Buffer): Message[] {
  const reader = new Reader(page);
  const result: Message[] = [];
  while (reader.at < page.length) result.push(new Reader(reader.take()).message(FAMILY));
  return result;
}

const started = [
  3,
  [
    [1, 1],
    [2, 0],
  ],
];

test("counters, gauges, classic histograms, with names as they are", async () => {
  const exemplar = {
    value: 1.5,
    timestamp: [1_700_000_000, 5] as [number, number],
    traceId: "a".repeat(32),
    spanId: "b".repeat(16),
  };
  const written = [
    2,
    [
      [
        1,
        [
          [1, "trace_id"],
          [2, exemplar.traceId],
        ],
      ],
      [
        1,
        [
          [1, "span_id"],
          [2, exemplar.spanId],
        ],
      ],
      [2, 1.5],
      [
        3,
        [
          [1, 1_700_000_000],
          [2, 5],
        ],
      ],
    ],
  ];
  const { bytes } = await render(
    [
      withExemplars(counter("größe.x", [[{ "a.b": "ü", c: 1 }, 7]], { unit: "s", description: "Höhe." }), [exemplar]),
      gauge("load", [[{}, -0.5]]),
      withExemplars(histogram("took", [[{ a: 1 }, buckets([1, 2], [300, 0, 2], 9)]]), [exemplar]),
    ],
    {
      accept: `${accept};escaping=allow-utf-8`,
      naming: "NoUTF8EscapingWithSuffixes",
      resource: { attributes: { r: 1 } },
    },
  );
  expect(families(bytes)).toEqual([
    [
      [1, "target_info"],
      [2, "What this process is."],
      [3, 1],
      [
        4,
        [
          [
            1,
            [
              [1, "r"],
              [2, "1"],
            ],
          ],
          [2, [[1, 1]]],
        ],
      ],
    ],
    [
      [1, "größe.x_seconds_total"],
      [2, "Höhe."],
      [3, 0],
      [5, "seconds"],
      [
        4,
        [
          [
            1,
            [
              [1, "a.b"],
              [2, "ü"],
            ],
          ],
          [
            1,
            [
              [1, "c"],
              [2, "1"],
            ],
          ],
          [3, [[1, 7], written, started]],
        ],
      ],
    ],
    [
      [1, "load"],
      [3, 1],
      [4, [[2, [[1, -0.5]]]]],
    ],
    [
      [1, "took"],
      [3, 4],
      [
        4,
        [
          [
            1,
            [
              [1, "a"],
              [2, "1"],
            ],
          ],
          [
            7,
            [
              [1, 302],
              [2, 9],
              [
                3,
                [
                  [1, 300],
                  [2, 1],
                ],
              ],
              [
                3,
                [
                  [1, 300],
                  [2, 2],
                  [3, written[1]],
                ],
              ],
              [
                3,
                [
                  [1, 302],
                  [2, Infinity],
                ],
              ],
              [15, started[1]],
            ],
          ],
        ],
      ],
    ],
  ]);
});

/** Field numbers of the native part, which begin with the schema. */
const nativeOf = (family: Message | undefined) => {
  const metrics = (family ?? []).filter(([field]) => field === 4) as [number, Message][];
  const [, value] = metrics[0]?.[1].find(([field]) => field === 7) ?? [];
  return (value as Message).filter(([field]) => field >= 5 && field < 15);
};
const none: ExponentialHistogram["positive"] = { offset: 0, bucketCounts: [] };
const at = (scale: number, positive = none, negative = none) => ({
  scale,
  positive,
  negative,
  zeroCount: 2,
  count: [2, ...positive.bucketCounts, ...negative.bucketCounts].reduce((a, b) => a + b, 0),
  sum: 5,
});

test("a native histogram: one span, differences, indexes by upper bound", async () => {
  const value = at(3, { offset: -3, bucketCounts: [0, 4, 0, 1, 0] }, { offset: 6, bucketCounts: [9] });
  const { bytes } = await render([exponential("x", [[{}, value]])], { accept });
  expect(nativeOf(families(bytes)[0])).toEqual([
    [5, 6],
    [6, 1e-128],
    [7, 2],
    [
      9,
      [
        [1, 14],
        [2, 1],
      ],
    ],
    [10, [9]],
    // From -3 + 1 empty + 1 because of the upper bound = -1, as zigzag 1.
    [
      12,
      [
        [1, 1],
        [2, 3],
      ],
    ],
    [13, [4, -4, 1]],
  ]);
});

test("a scale above 8 is lowered to it, pairs of buckets to one each time", async () => {
  // 9 to 8: -3 and -2 go to -2 and -1, -1 to -1, 0 to 0.
  const { bytes } = await render([exponential("x", [[{}, at(9, { offset: -3, bucketCounts: [1, 2, 3, 4] })]])], {
    accept,
  });
  expect(nativeOf(families(bytes)[0])).toEqual([
    [5, 16],
    [6, 1e-128],
    [7, 2],
    [
      12,
      [
        [1, 1],
        [2, 3],
      ],
    ],
    [13, [1, 4, -1]],
  ]);
});

test.each([
  ["a scale below -4", [exponential("x", [[{}, at(-5, { offset: 0, bucketCounts: [1] })]])]],
  [
    "a family that has others too",
    [exponential("x", [[{ a: 1 }, at(0)]]), histogram("x", [[{ a: 2 }, buckets([1], [1, 1])]])],
  ],
])("%s: classic buckets only, and all of them", async (_, metrics) => {
  const [family] = families((await render(metrics, { accept })).bytes);
  expect(nativeOf(family)).toEqual([]);
  expect(JSON.stringify(family)).toContain("[3,[[1,");
});

test("the same series as in OpenMetrics, with merged and reserved labels", async () => {
  const metrics = [gauge("x", [[{ "a.b": "2", a_b: "1", le: 3 }, 1]])];
  const [family] = families((await render(metrics, { accept })).bytes);
  expect(family?.[2]).toEqual([
    4,
    [
      [
        1,
        [
          [1, "a_b"],
          [2, "2;1"],
        ],
      ],
      [
        1,
        [
          [1, "exported_le"],
          [2, "3"],
        ],
      ],
      [2, [[1, 1]]],
    ],
  ]);
});

test("a large family, with lengths of several bytes", async () => {
  const points = Array.from({ length: 5000 }, (_, n) => [{ route: `/${"x".repeat(n % 300)}/${n}` }, n * 1e9] as const);
  const [small, large] = families((await render([counter("x", points), gauge("y", [[{}, 1]])], { accept })).bytes);
  expect(small?.[0]).toEqual([1, "y"]);
  const metrics = (large ?? []).filter(([field]) => field === 4) as [number, Message][];
  expect(metrics.map(([, metric]) => metric)).toEqual(
    points.map(([{ route }, value]) => [
      [
        1,
        [
          [1, "route"],
          [2, route],
        ],
      ],
      [3, [[1, value], started]],
    ]),
  );
});

test("counts that are no numbers do not hold up the page", async () => {
  const wrong = (count: number) => ({ ...at(0, { offset: 0, bucketCounts: [count, -count] }), count });
  const metrics = [Infinity, Number.NaN, -1, 2 ** 60].map((count, n) => exponential(`x${n}`, [[{}, wrong(count)]]));
  const fixed = histogram("y", [
    [{}, { buckets: { boundaries: [1], counts: [Infinity, Number.NaN] }, count: Infinity }],
  ]);
  expect(families((await render([...metrics, fixed], { accept })).bytes)).toHaveLength(5);
});
