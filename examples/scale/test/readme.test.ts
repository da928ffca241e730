import { existsSync, readFileSync } from "node:fs";
import { runGenerate } from "@telltale/test/configuration";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const file = (name: string): URL => new URL(`../${name}`, import.meta.url);
const readme = readFileSync(file("README.md"), "utf8");
const yaml = (name: string): unknown => parse(readFileSync(file(`kubernetes/config/${name}.yaml`), "utf8"));

/** The numbers of a table's row, by the row's first cell. */
function row(name: string): number[] {
  const line = readme
    .split("\n")
    .find((line) => line.startsWith("|") && line.split("|")[1]?.trim() === name && /\d/.test(line));
  if (line === undefined) throw new Error(`no row ${name}`);
  return line
    .split("|")
    .slice(2, -1)
    .map((cell) => Number.parseFloat(cell.replaceAll(",", "")));
}
const [pageGzip = 0] = row("page, gzip");
const [spans = 0] = row("spans per request");
const [bytes = 0] = row("OTLP per span");
const [bytesGzip = 0] = row("OTLP per span, gzip");
// The first of two rows of that name.
const [series = 0] = row("series");

describe("the tables of README.md", () => {
  test("add up to the series of one process", () => {
    const metrics = [...readme.matchAll(/^\| (?:`\w+`|\d+ others) +\| +(\d+) \|$/gm)].map(([, count]) => Number(count));
    expect(metrics.length).toBeGreaterThan(5);
    expect(metrics.reduce((sum, count) => sum + count)).toBe(series);
  });

  test.each<[name: string, one: number]>([
    ["samples/s", series / 15],
    ["scraped MB/s", pageGzip / 15 / 1e6],
    ["traces/s", 100],
    ["spans/s", 100 * spans],
    ["OTLP MB/s, gzip", (100 * spans * bytesGzip) / 1e6],
    ["OTLP MB/s", (100 * spans * bytes) / 1e6],
  ])("multiply %s", (name, one) => {
    const shown = row(name);
    const expected = [10, 100, 10_000].map((processes) => processes * one);
    expect(shown).toHaveLength(3);
    // Three digits are shown.
    for (const [index, value] of expected.entries())
      expect(Math.abs((shown[index] ?? 0) / value - 1)).toBeLessThan(0.01);
  });
});

test("the series per route, query and pool are those of the measured metrics", () => {
  const of = (name: string): number => row(`\`${name}\``)[0] ?? Number.NaN;
  expect(of("http_server_request_duration_seconds")).toBe(12 * 17);
  expect(of("db_client_operation_duration_seconds")).toBe(17 * 12);
  // Wait, create and use time, and six that are one number: used, idle, pending, limit, least idle, time-outs.
  const pool = 3 * of("db_client_connection_use_time_seconds") + 6;
  expect(readme).toContain(`**${pool}** per connection pool`);
  const about = Number(/\*\*about (\d+)\*\*/.exec(readme)?.[1]);
  expect(Math.abs(series - 12 * 17 - 17 * 12 - pool - about)).toBeLessThan(10);
});

describe("the reckoning of README.md", () => {
  const { processors } = yaml("collector-gateway") as {
    processors: {
      tail_sampling: { decision_wait: string; num_traces: number; policies: Record<string, Record<string, number>>[] };
      batch: { timeout: string };
    };
  };
  const seconds = (text: string): number => Number(/^(\d+)s$/.exec(text)?.[1]);
  const { decision_wait, num_traces, policies } = processors.tail_sampling;
  /** The number that the pattern finds in the text, line breaks aside. */
  const shown = (pattern: RegExp): number =>
    Number(pattern.exec(readme.replace(/\s+/g, " "))?.[1]?.replaceAll(",", ""));
  const near = (pattern: RegExp, value: number): void => {
    expect(Math.abs(shown(pattern) / value - 1), `${pattern} should be ${value}`).toBeLessThan(0.02);
  };

  test("of the gateways", () => {
    const held = seconds(decision_wait) + seconds(processors.batch.timeout);
    expect(shown(/hold every span for (\d+) seconds/)).toBe(held);
    near(/([\d,]+) spans\/s × 11 s/, 10_000 * spans);
    near(/× 11 s = ([\d,]+) spans/, 10_000 * spans * held);
    near(/spans of (\d+) bytes/, bytes);
    near(/(\d+) MB of OTLP/, (10_000 * spans * held * bytes) / 1e6);
    near(/= ([\d,]+) of `num_traces: 100000`/, (10_000 * seconds(decision_wait)) / 3);
    expect(num_traces).toBe(100_000);
  });

  test("of what is kept", () => {
    const percentage = policies.flatMap(({ probabilistic }) => probabilistic?.["sampling_percentage"] ?? []);
    expect(percentage).toEqual([5]);
    near(/5 % of 10,000 traces\/s are (\d+) traces\/s/, 10_000 * 0.05);
    near(/traces\/s, ([\d,]+) spans\/s/, 500 * spans);
    near(/spans\/s, ([\d.]+) MB\/s; in three days/, (500 * spans * bytes) / 1e6);
    near(/in three days (\d+) GB as OTLP/, (500 * spans * bytes * 3 * 86_400) / 1e9);
    near(/(\d+) GB as gzip has it/, (500 * spans * bytesGzip * 3 * 86_400) / 1e9);
    expect(yaml("tempo")).toMatchObject({ backend_worker: { compaction: { block_retention: `${3 * 24}h` } } });
    expect(policies.flatMap(({ latency }) => latency?.["threshold_ms"] ?? [])).toEqual([500]);
  });

  test("of Prometheus and Mimir", () => {
    near(/([\d,]+) need six/, 10_000 * series);
    expect(Math.ceil((10_000 * series) / 1e6)).toBe(6);
    const { limits } = yaml("mimir") as { limits: Record<string, number | string> };
    near(/2 million series or ([\d,]+) processes/, Number(limits["max_global_series_per_user"]) / series);
    const samples = (100 * series) / 15;
    near(/per sample: ([\d,]+)\/s/, samples);
    expect(shown(/([\d.]+) GB a day/)).toBeCloseTo((samples * 1.5 * 86_400) / 1e9, 1);
    near(/(\d+) GB in the 90 days/, (samples * 1.5 * 86_400 * 90) / 1e9);
    expect(limits["compactor_blocks_retention_period"]).toBe("90d");
    expect(shown(/26 of (\d+) series/)).toBe(series);
  });
});

test("what README.md lets go is used by no dashboard and no rule", async () => {
  const [, given = ""] = /regex: (v8js_\S+)/.exec(readme) ?? [];
  const { scripts } = JSON.parse(readFileSync(file("package.json"), "utf8")) as { scripts: { generate: string } };
  const { dashboards, folder, remove } = await runGenerate(scripts.generate);
  try {
    const rules = readFileSync(`${folder}/prometheus/telltale.rules.yaml`, "utf8");
    const used = [...Object.values(dashboards), rules].join("\n");
    expect(used).toContain("v8js_memory_heap_space_size_bytes");
    expect(used).not.toMatch(new RegExp(given));
  } finally {
    remove();
  }
});

test("the files that README.md names are there", () => {
  const names = [...readme.matchAll(/`(kubernetes\/[\w./-]+)`/g)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(2);
  expect(names.filter((name) => !existsSync(file(name)))).toEqual([]);
});
