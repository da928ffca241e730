import { describe, expect, test } from "vitest";
import { type FamilyType, namings, type NamingStrategy, underscoreEscapingWithSuffixes, unitOf } from "../src/index.js";

type Kind = FamilyType | "updowncounter";

function nameOf(
  name: string,
  unit: string,
  kind: Kind,
  strategy: NamingStrategy = "UnderscoreEscapingWithSuffixes",
): string | undefined {
  const type = kind === "updowncounter" ? "gauge" : kind;
  return namings[strategy].metric({ name, unit, type, isRatio: kind === "gauge" });
}

const METRICS: [name: string, unit: string, kind: Kind, expected: string | undefined][] = [
  ["http.server.request.duration", "s", "histogram", "http_server_request_duration_seconds"],
  ["db.client.connection.count", "{connection}", "updowncounter", "db_client_connection_count"],
  ["telltale.cache.lookups", "{lookup}", "counter", "telltale_cache_lookups_total"],
  ["process.cpu.time", "s", "counter", "process_cpu_time_seconds_total"],
  ["process.memory.usage", "By", "updowncounter", "process_memory_usage_bytes"],
  ["latency", "ms", "histogram", "latency_milliseconds"],
  // The unit is there already, or only looks as if.
  ["uptime.seconds", "s", "gauge", "uptime_seconds"],
  ["seconds.left", "s", "gauge", "seconds_left_seconds"],
  ["kilobytes", "By", "gauge", "kilobytes_bytes"],
  ["seconds", "s", "gauge", "seconds"],
  ["process_cpu_seconds_total", "s", "counter", "process_cpu_seconds_total"],
  ["requests.total", "", "counter", "requests_total"],
  ["time.total", "s", "counter", "time_seconds_total"],
  ["jobs.total", "", "gauge", "jobs_total"],
  // One: a ratio for gauges, nothing for what counts.
  ["utilization", "1", "gauge", "utilization_ratio"],
  ["hit.ratio", "1", "gauge", "hit_ratio"],
  ["jobs", "1", "updowncounter", "jobs"],
  ["jobs", "1", "counter", "jobs_total"],
  ["size", "1", "histogram", "size"],
  // Annotations, and rates.
  ["queue", "{job}", "gauge", "queue"],
  ["read", "By{compressed}", "gauge", "read_bytes"],
  ["speed", "m/s", "gauge", "speed_meters_per_second"],
  ["throughput", "By/s", "gauge", "throughput_bytes_per_second"],
  ["rate", "{request}/s", "gauge", "rate_per_second"],
  ["rate", "1/min", "gauge", "rate_per_minute"],
  ["share", "%", "gauge", "share_percent"],
  // Units that nobody knows, and units that are none.
  ["weight", "stone", "gauge", "weight_stone"],
  ["weight", "long ton!", "gauge", "weight_long_ton"],
  ["weight", "!!", "gauge", "weight"],
  ["weight", "constructor", "gauge", "weight_constructor"],
  ["weight", "/", "gauge", "weight"],
  // Hostile names.
  ["a..b--c", "", "gauge", "a_b_c"],
  ["7zip.runs", "", "counter", "_7zip_runs_total"],
  ["naïve.größe", "By", "gauge", "na_ve_gr_e_bytes"],
  ["trailing.", "s", "gauge", "trailing_seconds"],
  ["with space\nand line", "", "gauge", "with_space_and_line"],
  ["rule:kept", "", "gauge", "rule:kept"],
  ["請求", "", "gauge", undefined],
  ["!!!", "s", "counter", undefined],
  ["", "", "gauge", undefined],
];

test.each(METRICS)("metric %j in %j, %s: %s", (name, unit, kind, expected) => {
  expect(nameOf(name, unit, kind)).toBe(expected);
});

describe("labels", () => {
  test.each([
    ["http.request.method", "http_request_method"],
    ["a..b", "a_b"],
    ["__name__", "_name_"],
    ["1st", "_1st"],
    ["größe", "gr_e"],
    ["rule:label", "rule_label"],
    ['quote"d', "quote_d"],
    ["請求", "_"],
    ["", "_"],
  ])("%j: %s", (key, expected) => {
    expect(underscoreEscapingWithSuffixes.label(key)).toBe(expected);
  });
});

describe("other strategies", () => {
  test.each<[NamingStrategy, name: string, unit: string, kind: Kind, expected: string | undefined]>([
    [
      "UnderscoreEscapingWithoutSuffixes",
      "http.server.request.duration",
      "s",
      "histogram",
      "http_server_request_duration",
    ],
    ["UnderscoreEscapingWithoutSuffixes", "jobs", "{job}", "counter", "jobs"],
    ["UnderscoreEscapingWithoutSuffixes", "jobs.total", "", "counter", "jobs_total"],
    ["UnderscoreEscapingWithoutSuffixes", "utilization", "1", "gauge", "utilization"],
    ["UnderscoreEscapingWithoutSuffixes", "7..zip", "", "gauge", "_7_zip"],
    ["UnderscoreEscapingWithoutSuffixes", "請求", "", "gauge", undefined],
    [
      "NoUTF8EscapingWithSuffixes",
      "http.server.request.duration",
      "s",
      "histogram",
      "http.server.request.duration_seconds",
    ],
    ["NoUTF8EscapingWithSuffixes", "telltale.cache.lookups", "{lookup}", "counter", "telltale.cache.lookups_total"],
    ["NoUTF8EscapingWithSuffixes", "process.cpu.time", "s", "counter", "process.cpu.time_seconds_total"],
    ["NoUTF8EscapingWithSuffixes", "jobs.total", "", "counter", "jobs_total"],
    ["NoUTF8EscapingWithSuffixes", "subtotal", "", "counter", "subtotal_total"],
    ["NoUTF8EscapingWithSuffixes", "uptime.seconds", "s", "gauge", "uptime.seconds"],
    ["NoUTF8EscapingWithSuffixes", "utilization", "1", "gauge", "utilization_ratio"],
    ["NoUTF8EscapingWithSuffixes", "größe", "By", "gauge", "größe_bytes"],
    ["NoTranslation", "http.server.request.duration", "s", "histogram", "http.server.request.duration"],
    ["NoTranslation", 'a "b"\n\\', "s", "counter", 'a "b"\n\\'],
    ["NoTranslation", "half \ud83c pair", "", "gauge", "half \ufffd pair"],
    ["NoTranslation", "", "", "gauge", undefined],
    ["upstream", "http.server.request.duration", "s", "histogram", "http_server_request_duration"],
    ["upstream", "jobs.total", "", "counter", "jobs_total"],
    ["upstream", "jobs", "", "counter", "jobs_total"],
    ["upstream", "a..b:c", "", "gauge", "a_b_c"],
    ["upstream", "1st", "", "gauge", "_1st"],
    ["upstream", "請求", "", "gauge", undefined],
  ])("%s: %j in %j, %s: %j", (strategy, name, unit, kind, expected) => {
    expect(nameOf(name, unit, kind, strategy)).toBe(expected);
  });

  test.each<[NamingStrategy, key: string, expected: string]>([
    ["UnderscoreEscapingWithoutSuffixes", "http.route", "http_route"],
    ["NoUTF8EscapingWithSuffixes", "http.route", "http.route"],
    ["NoTranslation", "größe", "größe"],
    ["NoTranslation", "", "_"],
    ["NoTranslation", "\udc00", "\ufffd"],
    ["upstream", "http..route", "http_route"],
    ["upstream", "1st", "1st"],
  ])("%s: label %j: %j", (strategy, key, expected) => {
    expect(namings[strategy].label(key)).toBe(expected);
  });
});

test.each([
  ["s", false, "seconds"],
  ["1", true, "ratio"],
  ["1", false, ""],
  ["By/s", false, "bytes_per_second"],
  ["{request}", false, ""],
])("unit %j, ratio %s: %j", (unit, isRatio, expected) => {
  expect(unitOf({ unit, isRatio })).toBe(expected);
});
