import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { findingList, rankFindings, readFinding } from "../demo/report/findings.js";
import { PoolPeaks } from "../demo/report/pools.js";
import { parsePrometheusText } from "../demo/report/prometheus-text.js";
import { writeChecks, writeReport } from "../demo/report/report.js";
import { formatCount, formatPercent, formatRate, formatSeconds } from "../demo/report/units.js";

const request = (route: string, status: number, fast: number, slow: number) => {
  const labels = `http_request_method="GET",http_route="${route}",http_response_status_code="${status}"`;
  const name = "http_server_request_duration_seconds";
  return `
${name}_bucket{${labels},le="0.06"} 0
${name}_bucket{${labels},le="0.1"} ${fast}
${name}_bucket{${labels},le="0.5"} ${fast + slow}
${name}_bucket{${labels},le="+Inf"} ${fast + slow}
${name}_sum{${labels}} 1
${name}_count{${labels}} ${fast + slow}`;
};
const query = (summary: string, calls: number, seconds: number) => {
  const labels = `db_system_name="postgresql",db_query_summary="${summary}"`;
  const name = "db_client_operation_duration_seconds";
  return `
${name}_bucket{${labels},le="1"} ${calls}
${name}_bucket{${labels},le="+Inf"} ${calls}
${name}_sum{${labels}} ${seconds}
${name}_count{${labels}} ${calls}`;
};
const pool = (used: number, pending: number) => `
db_client_connection_count{db_client_connection_pool_name="shop",db_client_connection_state="used"} ${used}
db_client_connection_count{db_client_connection_pool_name="shop",db_client_connection_state="idle"} ${5 - used}
db_client_connection_pending_requests{db_client_connection_pool_name="shop"} ${pending}
db_client_connection_limit{db_client_connection_pool_name="shop"} 5
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="shop",le="0.001"} 30
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="shop",le="0.1"} 40
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="shop",le="+Inf"} 40
db_client_connection_wait_time_seconds_sum{db_client_connection_pool_name="shop"} 0.4
db_client_connection_wait_time_seconds_count{db_client_connection_pool_name="shop"} 40`;

const counted = (kind: string, route: string, times: number) =>
  `telltale_findings_total{telltale_finding_kind="${kind}",http_route="${route}",db_system_name="postgresql"} ${times}`;

const last = parsePrometheusText(
  [
    request("/orders", 200, 90, 10),
    request("/orders", 500, 0, 2),
    request("/products/:id", 404, 3, 0),
    query("SELECT products", 10, 7.5),
    query("SELECT orders", 1000, 2.5),
    'telltale_cache_lookups_total{telltale_cache_name="product",telltale_cache_result="hit"} 75',
    'telltale_cache_lookups_total{telltale_cache_name="product",telltale_cache_result="miss"} 25',
    pool(0, 0),
    counted("n_plus_one", "/orders", 412),
  ].join("\n"),
);
const busy = parsePrometheusText(pool(5, 3));

const finding = {
  telltale: "finding",
  kind: "n_plus_one",
  title: "GET /orders runs SELECT order_items 25 times (31.2 ms of 42.0 ms)",
  advice: "Read the rows of order_items for all keys in one query.",
  endpoint: "GET /orders",
  system: "postgresql",
  query_text: "SELECT line FROM order_items WHERE order_id = $1",
  fingerprint: "f1",
  duration_ms: 40,
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  sampled: true,
};

/** The line that starts with a text, its cells separated by `|`. */
function row(lines: string[], start: string) {
  const line = lines.map((text) => stripVTControlCharacters(text)).find((text) => text.trim().startsWith(start));
  return line?.trim().split(/ {2,}/).join("|");
}

describe("the report", () => {
  const pools = new PoolPeaks();
  for (const page of [busy, last]) pools.add(page);
  const lines = writeReport({ samples: last, pools, findings: [finding], spans: undefined, seconds: 10 });

  test("adds up a route's statuses", () => {
    // 102 requests: rank 51 of 90 in (0.06, 0.1]; rank 96.9 is 6.9 of 12 in (0.1, 0.5]; rank 100.98 is 10.98 of 12.
    expect(row(lines, "GET /orders")).toBe("GET /orders|102|10|83 ms|330 ms|466 ms|·|2");
    expect(row(lines, "GET /products/:id")).toBe("GET /products/:id|3|0.3|80 ms|98 ms|100 ms|3|·");
  });

  test("says which query takes the time", () => {
    expect(row(lines, "SELECT products")).toBe(
      "SELECT products|postgresql|10|750 ms|< 1,000 ms|75.0 %|████████████░░░░",
    );
    expect(row(lines, "SELECT orders")).toBe(
      "SELECT orders|postgresql|1,000|2.5 ms|< 1,000 ms|25.0 %|████░░░░░░░░░░░░",
    );
  });

  test("says how often a cache hits", () => {
    expect(row(lines, "product")).toBe("product|100|75|25|·|75.0 %|███████████████░░░░░");
  });

  test("shows a pool at its busiest", () => {
    expect(row(lines, "5 of 5")).toBe("5 of 5 connections in use, 3 callers waiting");
    expect(row(lines, "40 checkouts")).toBe("40 checkouts, 10 waited more than 1 ms (25.0 %), timed out: 0");
  });

  test("describes findings", () => {
    expect(row(lines, "▲")).toBe("▲ N+1 in GET /orders|412 times");
    expect(row(lines, "trace")).toBe("trace|4bf92f3577b34da6a3ce929d0e0e4736");
  });

  test("fits into 100 columns", () => {
    expect(Math.max(...lines.map((line) => stripVTControlCharacters(line).length))).toBeLessThanOrEqual(100);
  });

  test("has something to say about nothing", () => {
    const empty = writeReport({ samples: [], pools: new PoolPeaks(), findings: [], spans: undefined, seconds: 10 });
    expect(empty.filter((line) => line === "  none")).toHaveLength(5);
  });
});

test("the checks compare Telltale's counts of requests with the sender's", () => {
  const spans = [...Array.from({ length: 105 }, () => ({ kind: "server" })), { kind: "client" }];
  const check = (sent: number) =>
    writeChecks({ samples: last, spans, sent }).map((line) => stripVTControlCharacters(line));
  expect(check(105)).toEqual([
    "✓ Telltale counted 105 requests, the load driver sent 105",
    "✓ 106 spans arrived over OTLP, 105 of them requests",
  ]);
  expect(check(106)).toEqual([
    "✗ Telltale counted 105 requests, the load driver sent 106",
    "✗ 106 spans arrived over OTLP, 105 of them requests",
  ]);
  expect(writeChecks({ samples: last, spans: undefined, sent: 105 })).toHaveLength(1);
});

describe("findings", () => {
  test("are the JSON lines that say so", () => {
    expect(readFinding(JSON.stringify(finding))).toEqual(finding);
    expect(readFinding("shop: something else")).toBeUndefined();
    expect(readFinding('{"level":30,"msg":"hello"}')).toBeUndefined();
    expect(readFinding('{"telltale":"finding"')).toBeUndefined();
  });

  test("of one query in one endpoint are one, the costliest first", () => {
    const samples = parsePrometheusText(
      [counted("n_plus_one", "/orders", 3), counted("slow_query", "/search", 2)].join("\n"),
    );
    expect(findingList([{ ...finding, kind: "pool_starved" }], last)[0]).toContain("Pool starved in GET /orders");
    const slow = { ...finding, kind: "slow_query", endpoint: "GET /search", duration_ms: 90 };
    const unmatched = { ...finding, kind: "slow_query", endpoint: undefined, duration_ms: 200 };
    const ranked = rankFindings([finding, { ...finding, duration_ms: 50 }, slow, unmatched], samples);
    expect(ranked.map(({ worst, times }) => [worst.kind, worst.endpoint, worst.duration_ms, times])).toEqual([
      ["slow_query", undefined, 200, 1],
      ["slow_query", "GET /search", 90, 2],
      ["n_plus_one", "GET /orders", 50, 3],
    ]);
  });
});

describe("units", () => {
  test.each([
    [0, "0 ms"],
    [0.000_42, "0.42 ms"],
    [0.0031, "3.1 ms"],
    [0.142, "142 ms"],
    [0.9996, "1.00 s"],
    [12.34, "12.3 s"],
    [Number.NaN, "–"],
  ])("%d s is %s", (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

  test("counts, rates and shares", () => {
    expect([formatCount(1234567), formatRate(0.34), formatRate(1234.5), formatPercent(0.4567)]).toEqual([
      "1,234,567",
      "0.3",
      "1,235",
      "45.7 %",
    ]);
  });
});
