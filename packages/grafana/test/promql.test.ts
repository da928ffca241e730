import { noTranslation, underscoreEscapingWithSuffixes } from "@telltale/core";
import { expect, test } from "vitest";
import { createPromql } from "../src/promql.js";

const q = createPromql(underscoreEscapingWithSuffixes, { target: { job: "=shop" }, window: "5m" });
/** Prometheus 3 has names with dots, in quotes. */
const dotted = createPromql(noTranslation, { target: { job: "=shop" }, window: "5m" });

const EXPRESSIONS: [actual: string, expected: string][] = [
  [q.value("poolPending"), 'db_client_connection_pending_requests{job="shop"}'],
  [q.value("cpuUtilization", { "cpu.mode": "=user" }), 'process_cpu_utilization_ratio{job="shop", cpu_mode="user"}'],
  [q.value("httpServerDuration"), 'http_server_request_duration_seconds_count{job="shop"}'],
  [q.about({}).value("uptime"), "process_uptime_seconds"],
  [
    q.rate("cacheLookups", { "telltale.cache.result": "!=error" }),
    'rate(telltale_cache_lookups_total{job="shop", telltale_cache_result!="error"}[5m])',
  ],
  [q.over("1h").increase("poolTimeouts"), 'increase(db_client_connection_timeouts_total{job="shop"}[1h])'],
  [q.count("gcDuration"), 'rate(v8js_gc_duration_seconds_count{job="shop"}[5m])'],
  [q.total("gcDuration"), 'rate(v8js_gc_duration_seconds_sum{job="shop"}[5m])'],
  [q.sum([], "x"), "sum(x)"],
  [q.sum(["job", "http.route"], "x"), "sum by (job, http_route) (x)"],
  [q.share(["job"], "a", "b"), "(sum by (job) (a) or 0 * sum by (job) (b)) / sum by (job) (b)"],
  [
    q.quantile(0.95, "httpServerDuration", ["http.route"]),
    'histogram_quantile(0.95, sum by (le, http_route) (rate(http_server_request_duration_seconds_bucket{job="shop"}[5m])))',
  ],
  // Quotes and backslashes are escaped as PromQL wants it.
  [q.value("uptime"), 'process_uptime_seconds{job="shop"}'],
  [q.about({ job: '=~a\\.b|"c"' }).value("uptime"), 'process_uptime_seconds{job=~"a\\\\.b|\\"c\\""}'],
  [q.recorded("job:x:y", { slo: "=p95" }), 'job:x:y{job="shop", slo="p95"}'],
  [
    dotted.count("httpServerDuration", { "http.route": "=/a" }),
    'rate({"http.server.request.duration_count", job="shop", "http.route"="/a"}[5m])',
  ],
  [dotted.sum(["job", "http.route"], "x"), 'sum by (job, "http.route") (x)'],
  [dotted.label("http.route"), "http.route"],
];

test.each(EXPRESSIONS)("%s", (actual, expected) => {
  expect(actual).toBe(expected);
});
