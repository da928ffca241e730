import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readSources } from "../src/api/status.js";
import { createWriter, type Writer } from "../src/store/create-writer.js";
import { openStore, type Store } from "../src/store/open-store.js";
import { attributes, hex, logs, metrics, span, traces } from "./otlp-builders.js";

let store: Store;
let writer: Writer;
beforeEach(async () => {
  store = await openStore();
  writer = createWriter(store);
});
afterEach(() => store.close());

const rows = (query: string) =>
  store.db
    .prepare(query)
    .all()
    .map((row) => Object.assign({}, row));
const row = (query: string) => rows(query)[0];

describe("spans", () => {
  test("are kept with what they are", () => {
    const events = [{ name: "e", timeUnixNano: 1_700_000_000_124_000_500n, attributes: attributes({ n: 1 }) }];
    const links = [{ traceId: hex(7, 32), spanId: hex(8, 16), attributes: attributes({ l: "x" }) }];
    const sent = span({
      name: "work",
      kind: 3,
      parentSpanId: hex(9, 16),
      events,
      links,
      status: { code: 2, message: "bad" },
    });
    expect(writer.writeTraces(traces([sent]))).toEqual({ accepted: 1, rejected: 0, why: undefined });
    expect(row("SELECT * FROM span")).toMatchObject({
      trace_id: sent.traceId,
      span_id: sent.spanId,
      parent_id: hex(9, 16),
      name: "work",
      scope: "test",
      kind: 3,
      start_us: 1_700_000_000_123_456,
      duration_ns: 5_000_000,
      status: 2,
      status_message: "bad",
      is_entry: 0,
      route: null,
      events: '[{"name":"e","timeMs":1700000000124,"attributes":{"n":1}}]',
      links: `[{"traceId":"${hex(7, 32)}","spanId":"${hex(8, 16)}","attributes":{"l":"x"}}]`,
    });
    expect(row("SELECT service, instance FROM resource")).toEqual({ service: "shop", instance: "shop-1" });
  });

  test.each([
    ["a server's", { kind: 2, parentSpanId: hex(1, 16) }, 1],
    ["a consumer's", { kind: 5, parentSpanId: hex(1, 16) }, 1],
    ["one without parent", { kind: 1 }, 1],
    ["one whose parent is all 0", { kind: 1, parentSpanId: "0".repeat(16) }, 1],
    ["a client's", { kind: 3, parentSpanId: hex(1, 16) }, 0],
  ])("%s is an entry: %j", (_, said, expected) => {
    writer.writeTraces(traces([span(said)]));
    expect(row("SELECT is_entry FROM span")).toEqual({ is_entry: expected });
  });

  test.each([
    [
      { "http.route": "/orders/:id", "http.request.method": "GET", "http.response.status_code": 404 },
      "GET /orders/:id",
      404,
    ],
    [{ "http.route": "/orders", "http.method": "POST", "http.status_code": 200 }, "POST /orders", 200],
    [{ "http.route": "/orders" }, "/orders", null],
    [{ "http.request.method": "GET", "http.response.status_code": "nonsense" }, "span", null],
    [{ "http.route": 5 }, "span", null],
  ])("%j has its route", (about, route, status) => {
    writer.writeTraces(traces([span({ kind: 2, about })]));
    expect(row("SELECT route, http_status FROM span")).toEqual({ route, http_status: status });
  });

  test("queries of one shape have one fingerprint, in one database", () => {
    const query = (text: string, namespace = "shop") =>
      span({ about: { "db.system.name": "postgresql", "db.namespace": namespace, "db.query.text": text } });
    writer.writeTraces(
      traces([
        query("SELECT * FROM a WHERE id = 1"),
        query("select *  from a where id = 2"),
        query("SELECT * FROM b WHERE id = 1"),
        query("SELECT * FROM a WHERE id = 1", "other"),
        span({
          about: { "db.system": "postgresql", "db.name": "shop", "db.statement": "SELECT * FROM a WHERE id = 3" },
        }),
        span({ about: { "db.system.name": "redis", "db.operation.name": "GET" } }),
        span(),
      ]),
    );
    const prints = rows("SELECT fingerprint FROM span ORDER BY id").map(({ fingerprint }) => fingerprint);
    const [first, sameShape, table, database, old, redis, none] = prints;
    expect([sameShape, old]).toEqual([first, first]);
    expect(new Set([first, table, database, redis]).size).toBe(4);
    expect(none).toBeNull();
    expect(rows("SELECT db_system FROM span WHERE id IN (5, 6, 7) ORDER BY id")).toEqual([
      { db_system: "postgresql" },
      { db_system: "redis" },
      { db_system: null },
    ]);
  });

  test("commands on keys that differ in numbers are one query", () => {
    const command = (text: string) => span({ about: { "db.system.name": "redis", "db.query.text": text } });
    const texts = [
      "GET user:17:name",
      "GET user:4:name",
      "GET user:65a1b2c3d4e5f60718293a4b:name",
      "GET order:17:name",
    ];
    writer.writeTraces(traces(texts.map(command)));
    const [first, ...others] = rows("SELECT fingerprint FROM span ORDER BY id").map(({ fingerprint }) => fingerprint);
    expect(others.map((other) => other === first)).toEqual([true, true, false]);
  });

  test("rows, slowness, lookups and findings are taken out", () => {
    const told = { name: "telltale.finding", attributes: attributes({ "telltale.finding.kind": "n_plus_one" }) };
    writer.writeTraces(
      traces([
        span({
          about: {
            "db.response.returned_rows": 3,
            "telltale.slow.reason": "threshold",
            "telltale.cache.hits": 2,
            "telltale.cache.misses": 1,
            "telltale.finding.kind": "slow_query",
          },
        }),
        span({ events: [told] }),
        span({ about: { "db.response.returned_rows": -1, "telltale.cache.hits": 0.5 } }),
      ]),
    );
    expect(rows("SELECT db_rows, is_slow, cache_hits, cache_misses, finding FROM span ORDER BY id")).toEqual([
      { db_rows: 3, is_slow: 1, cache_hits: 2, cache_misses: 1, finding: "slow_query" },
      { db_rows: null, is_slow: 0, cache_hits: 0, cache_misses: 0, finding: "n_plus_one" },
      { db_rows: null, is_slow: 0, cache_hits: 0, cache_misses: 0, finding: null },
    ]);
  });

  test("clocks that go backwards, or to the end of time, do no harm", () => {
    const end = 2n ** 64n - 1n;
    writer.writeTraces(
      traces([
        span({ startTimeUnixNano: 5_000n, endTimeUnixNano: 1_000n }),
        span({ startTimeUnixNano: 1n, endTimeUnixNano: end }),
        span({ startTimeUnixNano: end, endTimeUnixNano: end }),
        span({ startTimeUnixNano: 0n, endTimeUnixNano: 7_000_000n }),
        span({ startTimeUnixNano: end - 5_000n, endTimeUnixNano: end }),
      ]),
    );
    const most = Number.MAX_SAFE_INTEGER;
    expect(rows("SELECT start_us, duration_ns FROM span ORDER BY id")).toEqual([
      { start_us: 5, duration_ns: 0 },
      { start_us: 0, duration_ns: most },
      { start_us: most, duration_ns: 0 },
      { start_us: 7_000, duration_ns: 0 },
      { start_us: most, duration_ns: 5_000 },
    ]);
    expect(readSources(store)).toEqual([expect.objectContaining({ service: "shop", instance: "shop-1" })]);
  });

  test("without proper ids they are rejected and counted, the others are kept", () => {
    const written = writer.writeTraces(
      traces([
        span({ traceId: "0".repeat(32) }),
        span({ traceId: "'; DROP TABLE span; --".padEnd(32, "x") }),
        span({ spanId: "ab" }),
        span({ parentSpanId: "no" }),
        span(),
      ]),
    );
    expect(written).toEqual({
      accepted: 1,
      rejected: 4,
      why: "a trace id must be 16 bytes (32 hexadecimal digits), not all 0",
    });
    expect(writer.counters().spans).toMatchObject({ received: 5, held: 1, dropped: 4 });
  });

  test("cycles and orphans are kept as they are", () => {
    const [a, b] = [hex(0xa, 16), hex(0xb, 16)];
    writer.writeTraces(
      traces([
        span({ spanId: a, parentSpanId: b }),
        span({ spanId: b, parentSpanId: a }),
        span({ spanId: a, parentSpanId: a }),
      ]),
    );
    expect(rows("SELECT span_id, parent_id FROM span")).toHaveLength(3);
  });

  test("a text of 10 MB is cut, says so, and is counted", () => {
    writer.writeTraces(
      traces([
        span({
          about: { short: "s", long: "é".repeat(10_000_000), list: Array.from({ length: 500_000 }, () => "item") },
        }),
      ]),
    );
    const kept = String(row("SELECT attributes FROM span")?.["attributes"]);
    const { short, long, list } = JSON.parse(kept) as { short: string; long: string; list: string[] };
    expect(short).toBe("s");
    expect(long).toMatch(/^é{32768}… \[cut, of 10000000 characters\]$/);
    expect(list.at(-1)).toBe(`… ${500_000 - (list.length - 1)} more`);
    expect(kept.length).toBeLessThan(300_000);
    expect(writer.counters().cuts).toBe(2);
  });

  test("values of all kinds are read back as what they were", () => {
    const sent = [
      { key: "__proto__", value: { stringValue: "p" } },
      { key: 'quote " and \0', value: { stringValue: "\ud800 </script>" } },
      { key: "big", value: { intValue: 2n ** 60n } },
      { key: "nan", value: { doubleValue: Number.NaN } },
      { key: "bytes", value: { bytesValue: new Uint8Array([1, 2, 3]) } },
      { key: "map", value: { kvlistValue: { values: [{ key: "k", value: { arrayValue: { values: [{}] } } }] } } },
    ];
    writer.writeTraces(traces([span({ attributes: sent })]));
    const read = JSON.parse(String(row("SELECT attributes FROM span")?.["attributes"])) as object;
    expect(Object.entries(read)).toEqual([
      ["__proto__", "p"],
      ['quote " and \0', "\ud800 </script>"],
      ["big", String(2n ** 60n)],
      ["nan", "NaN"],
      ["bytes", "AQID"],
      ["map", { k: [null] }],
    ]);
  });
});

describe("logs and findings", () => {
  const event = (about: Parameters<typeof attributes>[0], said = {}) => ({
    eventName: "telltale.finding",
    timeUnixNano: 1_700_000_100_000_000_000n,
    body: { stringValue: "GET /orders runs SELECT items 25 times" },
    attributes: attributes({ "telltale.finding.id": "f1", "telltale.finding.kind": "n_plus_one", ...about }),
    ...said,
  });

  test("records are kept, in their trace", () => {
    writer.writeLogs(
      logs([
        {
          timeUnixNano: 2_000n,
          severityNumber: 9,
          severityText: "INFO",
          body: { stringValue: "plain" },
          traceId: hex(1, 32),
          spanId: hex(2, 16),
        },
        { observedTimeUnixNano: 3_000n, body: { intValue: 5 }, attributes: attributes({ "event.name": "old.way" }) },
        { timeUnixNano: 4_000n, severityNumber: 99, traceId: "nonsense", spanId: "nonsense" },
      ]),
    );
    expect(
      rows("SELECT time_us, severity, severity_text, body, trace_id, span_id, event_name FROM log ORDER BY id"),
    ).toEqual([
      {
        time_us: 2,
        severity: 9,
        severity_text: "INFO",
        body: "plain",
        trace_id: hex(1, 32),
        span_id: hex(2, 16),
        event_name: "",
      },
      { time_us: 3, severity: 0, severity_text: "", body: "5", trace_id: "", span_id: "", event_name: "old.way" },
      { time_us: 4, severity: 0, severity_text: "", body: "", trace_id: "", span_id: "", event_name: "" },
    ]);
  });

  test("a finding is the last that was told of it, since the first", () => {
    const later = 1_700_000_200_000_000_000n;
    writer.writeLogs(
      logs([
        event(
          { "telltale.finding.count": 1, "telltale.finding.first_seen": "2023-11-14T22:14:00.000Z" },
          { traceId: hex(5, 32) },
        ),
        event({ "telltale.finding.count": 9 }, { timeUnixNano: later, body: { stringValue: "newer" } }),
        // Overtaken on its way.
        event({ "telltale.finding.count": 2 }),
      ]),
    );
    expect(rows("SELECT finding_id, kind, first_us, last_us, count, trace_id, title FROM finding")).toEqual([
      {
        finding_id: "f1",
        kind: "n_plus_one",
        first_us: Date.parse("2023-11-14T22:14:00.000Z") * 1_000,
        last_us: Number(later / 1_000n),
        count: 9,
        trace_id: hex(5, 32),
        title: "newer",
      },
    ]);
    expect(rows("SELECT id FROM log")).toHaveLength(3);
  });

  test("each process has its own; an event without an id is a record like others", () => {
    writer.writeLogs(logs([event({})]));
    writer.writeLogs(logs([event({})], { "service.name": "other" }));
    writer.writeLogs(logs([event({ "telltale.finding.id": "" }), event({ "telltale.finding.kind": 5 })]));
    expect(rows("SELECT finding_id FROM finding")).toHaveLength(2);
    expect(rows("SELECT id FROM log")).toHaveLength(4);
  });

  test("there are not more than so many: those told of longest ago go", () => {
    writer = createWriter(store, { findings: 10 });
    for (let i = 1; i <= 25; i += 1)
      writer.writeLogs(logs([event({ "telltale.finding.id": `f${i}` }, { timeUnixNano: BigInt(i) * 1_000n })]));
    expect(rows("SELECT last_us FROM finding ORDER BY last_us").map(({ last_us }) => last_us)).toEqual(
      Array.from({ length: 10 }, (_, i) => 16 + i),
    );
    expect(writer.counters().findingsForgotten).toBe(15);
  });
});

describe("points", () => {
  const at = { timeUnixNano: 3_000n, startTimeUnixNano: 1_000n };

  test("are kept with their series, however its attributes are ordered", () => {
    const point = (value: number, of: Parameters<typeof attributes>[0]) => ({
      ...at,
      asDouble: value,
      attributes: attributes(of),
    });
    const sum = {
      isMonotonic: true,
      aggregationTemporality: 2,
      dataPoints: [point(1.5, { a: 1, b: 2 }), point(2.5, { b: 2, a: 1 })],
    };
    const exemplars = [
      { asDouble: 7, traceId: hex(1, 32), spanId: hex(2, 16), timeUnixNano: 5_000_000n },
      { asDouble: 8 },
    ];
    const gauge = { dataPoints: [{ ...at, asInt: 4, exemplars }] };
    writer.writeMetrics(
      metrics([
        { name: "m.sum", unit: "s", description: "d", sum },
        { name: "m.gauge", gauge },
      ]),
    );
    expect(
      rows("SELECT name, unit, description, kind, is_monotonic, is_delta, attributes FROM series ORDER BY id"),
    ).toEqual([
      {
        name: "m.sum",
        unit: "s",
        description: "d",
        kind: "sum",
        is_monotonic: 1,
        is_delta: 0,
        attributes: '{"a":1,"b":2}',
      },
      { name: "m.gauge", unit: "", description: "", kind: "gauge", is_monotonic: 0, is_delta: 0, attributes: "{}" },
    ]);
    expect(rows("SELECT series_id, time_us, start_us, value, count, exemplars FROM point ORDER BY id")).toEqual([
      { series_id: 1, time_us: 3, start_us: 1, value: 1.5, count: null, exemplars: null },
      { series_id: 1, time_us: 3, start_us: 1, value: 2.5, count: null, exemplars: null },
      {
        series_id: 2,
        time_us: 3,
        start_us: 1,
        value: 4,
        count: null,
        exemplars: JSON.stringify([{ value: 7, timeMs: 5, traceId: hex(1, 32), spanId: hex(2, 16) }]),
      },
    ]);
  });

  test("a series is what was said of it last", () => {
    const sum = (aggregationTemporality: number) => ({ aggregationTemporality, dataPoints: [{ ...at, asInt: 1 }] });
    writer.writeMetrics(metrics([{ name: "m", unit: "ms", sum: sum(2) }]));
    writer.writeMetrics(metrics([{ name: "m", unit: "s", sum: { ...sum(1), isMonotonic: true } }]));
    expect(rows("SELECT unit, is_delta, is_monotonic FROM series")).toEqual([
      { unit: "s", is_delta: 1, is_monotonic: 1 },
    ]);
  });

  test("histograms have their buckets, where they can be right", () => {
    const whole = { ...at, count: 3, sum: 6, min: 1, max: 3, bucketCounts: [1, 2], explicitBounds: [2] };
    const dataPoints = [
      whole,
      { ...whole, explicitBounds: [2, 1] },
      { ...whole, explicitBounds: [2, 2], bucketCounts: [1, 1, 1] },
    ];
    writer.writeMetrics(metrics([{ name: "h", histogram: { aggregationTemporality: 1, dataPoints } }]));
    expect(row("SELECT kind, is_delta FROM series")).toEqual({ kind: "histogram", is_delta: 1 });
    expect(rows("SELECT value, count, min, max, buckets FROM point ORDER BY id")).toEqual([
      { value: 6, count: 3, min: 1, max: 3, buckets: '{"bounds":[2],"counts":[1,2]}' },
      { value: 6, count: 3, min: 1, max: 3, buckets: null },
      { value: 6, count: 3, min: 1, max: 3, buckets: null },
    ]);
  });

  test("summaries have their ends; points without value are passed over, and those of no number dropped", () => {
    const quantileValues = [{ value: 2 }, { quantile: 0.5, value: 3 }, { quantile: 1, value: 9 }];
    writer.writeMetrics(
      metrics([
        { name: "s", summary: { dataPoints: [{ ...at, count: 4, sum: 20, quantileValues }] } },
        {
          name: "g",
          gauge: {
            dataPoints: [
              { ...at, flags: 1 },
              { ...at, asDouble: Number.NaN },
            ],
          },
        },
        { gauge: { dataPoints: [{ ...at, asInt: 1 }] } },
      ]),
    );
    expect(rows("SELECT value, count, min, max FROM point")).toEqual([{ value: 20, count: 4, min: 2, max: 9 }]);
    expect(writer.counters().points).toMatchObject({ received: 4, held: 1, dropped: 2 });
  });
});
