import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describeWith } from "@telltale/test/describe-with";
import { expect, test } from "vitest";
import { countSeries, project } from "../figures.js";

const PAGE = `# TYPE duration_seconds histogram
duration_seconds_bucket{route="/a",le="0.1"} 1 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.05 1.5
duration_seconds_bucket{route="/a",le="+Inf"} 2
duration_seconds_sum{route="/a"} 0.6
duration_seconds_count{route="/a"} 2
# TYPE things counter
things_total{kind="one"} 1
# TYPE item_count gauge
item_count 3
# EOF
`;

test("counts the series of a page by metric", () => {
  expect(countSeries(PAGE)).toEqual([
    ["duration_seconds", 4],
    ["things_total", 1],
    ["item_count", 1],
  ]);
});

test("projects one process onto many", () => {
  const figures = { series: 600, pageBytesGzip: 15_000, spansPerRequest: 5, spanBytes: 400, spanBytesGzip: 40 };
  expect(project(figures, { processes: 10, requestsPerSecond: 20, scrapeSeconds: 15 })).toEqual({
    series: 6_000,
    "samples/s": 400,
    "scraped MB/s": 0.01,
    "traces/s": 200,
    "spans/s": 1_000,
    "OTLP MB/s, gzip": 0.04,
    "OTLP MB/s": 0.4,
  });
});

describeWith(["postgres", "redis"], "the measurement", () => {
  test("measures a shop", { timeout: 60_000 }, async () => {
    const measure = fileURLToPath(new URL("../measure.js", import.meta.url));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [measure, "--seconds=1", "--json"]);
    expect(stderr).toBe("");
    const figures = JSON.parse(stdout) as Record<string, number> & { seriesByMetric: Record<string, number> };
    const of = (name: string): number => figures[name] ?? Number.NaN;
    // Histograms are of whole label sets: 14 bounds and 9, each with +Inf, sum and count.
    const { seriesByMetric } = figures;
    expect((seriesByMetric["http_server_request_duration_seconds"] ?? 0) % 17).toBe(0);
    expect((seriesByMetric["db_client_operation_duration_seconds"] ?? 0) % 12).toBe(0);
    expect(Object.values(seriesByMetric).reduce((sum, count) => sum + count)).toBe(of("series"));
    // Nearly every visit asks PostgreSQL or Redis, those to /orders 26 times.
    expect(of("spansPerRequest")).toBeGreaterThan(2);
    expect(of("spansPerRequest")).toBeLessThan(27);
    expect(of("spanBytesGzip")).toBeLessThan(of("spanBytes") / 2);
    expect(of("pageBytesGzip")).toBeLessThan(of("pageBytes") / 2);
  });
});
