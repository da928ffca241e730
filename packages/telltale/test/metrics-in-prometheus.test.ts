import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import {
  type DatabaseOperation,
  type HttpServerOperation,
  registerPool,
  reportLookup,
  addListener,
} from "@telltale/core";
import { createPrometheusReader } from "@telltale/exporter-prometheus";
import { createMetrics } from "@telltale/metrics";
import { describeWith } from "@telltale/test/describe-with";
import { getRequest } from "@telltale/test/requests";
import { type PrometheusServer, startPrometheus } from "@telltale/test/servers";
import { template } from "@telltale/test/template";
import { afterAll, beforeAll, expect, test } from "vitest";

const base = {
  context: ROOT_CONTEXT,
  request: undefined,
  error: undefined,
  errorType: undefined,
  span: undefined,
  attributes: undefined,
  startMs: 1000,
};
const orders = template();

function query(ms: number): DatabaseOperation {
  const nothing = {
    text: undefined,
    parameters: undefined,
    rows: undefined,
    statusCode: undefined,
    batchSize: undefined,
    takenSite: undefined,
    explainer: undefined,
    site: undefined,
  };
  const cache = { cacheHits: 0, cacheMisses: 0, cacheName: undefined };
  return { ...base, kind: "database", template: orders, endMs: 1000 + ms, waitMs: 0, ...nothing, ...cache };
}

function served(ms: number, statusCode: number): HttpServerOperation {
  const operation: HttpServerOperation = {
    ...base,
    kind: "http.server",
    endMs: 1000 + ms,
    ...getRequest("/orders/7"),
    statusCode,
    isStreaming: false,
    errorType: statusCode === 500 ? "500" : undefined,
  };
  operation.request = { operation, route: "/orders/:id", slots: [] };
  return operation;
}

describeWith(["prometheus"], "a real Prometheus", () => {
  const undo: (() => unknown)[] = [];
  let prometheus: PrometheusServer;
  let url: string;

  beforeAll(async () => {
    const metrics = createMetrics();
    const { reader, listening } = createPrometheusReader({ port: 0, metricProducers: [metrics.producer] });
    const provider = new MeterProvider({ readers: [reader] });
    undo.push(() => provider.shutdown(), metrics.stop, addListener(metrics.listener));
    const result = await listening;
    if ("error" in result) throw new Error(result.error);
    url = result.url;
    prometheus = await startPrometheus({ scrape: [{ job: "shop", target: new URL(url).host }] });
    undo.push(() => prometheus.stop());

    for (const ms of [1, 2, 3, 4, 40, 400, 4000]) metrics.listener.operationEnded?.(query(ms));
    for (const ms of [10, 20, 30]) metrics.listener.operationEnded?.(served(ms, 200));
    metrics.listener.operationEnded?.(served(2000, 500));
    const waiting = served(0, 0);
    metrics.listener.operationStarted?.(waiting);
    reportLookup("product", "hit", 5, "redis");
    reportLookup("product", "miss", 2, "redis");
    const pool = registerPool({
      name: 'main "1"',
      system: "postgresql",
      read: () => ({ used: 7, idle: 3, pending: 50, limit: 10 }),
    });
    undo.push(pool.close);
    pool.timed("wait", 250);
    provider
      .getMeter("größe", "1.0")
      .createCounter("naïve.orders", { unit: "{order}" })
      .add(11, { "shop.name": "a\nb" });
  });
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
  });

  /** The one value of an expression, once Prometheus has scraped. */
  async function ask(expression: string): Promise<number> {
    for (let tries = 0; ; tries++) {
      const response = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
      const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
      if (data.result.length > 0 || tries === 100) {
        expect(data.result, expression).toHaveLength(1);
        return Number(data.result[0]?.value[1]);
      }
      await sleep(200);
    }
  }

  const query5432 = 'db_system_name="postgresql",db_query_summary="SELECT orders",server_port="5432"';
  test.each([
    ['up{job="shop"}', 1],
    [`db_client_operation_duration_seconds_count{${query5432}}`, 7],
    [`db_client_operation_duration_seconds_sum{${query5432}}`, 4.45],
    [`db_client_operation_duration_seconds_bucket{${query5432},le="0.001"}`, 1],
    [`db_client_operation_duration_seconds_bucket{${query5432},le="0.005"}`, 4],
    [`db_client_operation_duration_seconds_bucket{${query5432},le="0.5"}`, 6],
    [`db_client_operation_duration_seconds_bucket{${query5432},le="+Inf"}`, 7],
    ['sum(http_server_request_duration_seconds_count{http_route="/orders/:id"})', 4],
    ['http_server_request_duration_seconds_sum{error_type="500",http_response_status_code="500"}', 2],
    ['http_server_active_requests{http_request_method="GET",url_scheme="http"}', 1],
    ['telltale_cache_lookups_total{telltale_cache_name="product",telltale_cache_result="hit"}', 5],
    [
      'sum(telltale_cache_lookups_total{telltale_cache_result="hit"}) / sum(telltale_cache_lookups_total{telltale_cache_name="product"})',
      5 / 7,
    ],
    ['db_client_connection_count{db_client_connection_pool_name="main \\"1\\"",db_client_connection_state="used"}', 7],
    ["db_client_connection_pending_requests", 50],
    ["db_client_connection_wait_time_seconds_sum", 0.25],
    ['na_ve_orders_total{shop_name="a\\nb",otel_scope_name="größe",otel_scope_version="1.0"}', 11],
    ['count(target_info{job="shop",telemetry_sdk_language="nodejs"})', 1],
    ['count(count({__name__=~"nodejs_eventloop_delay_.+_seconds"}) by (__name__))', 7],
  ])("%s is %d", async (expression, expected) => {
    expect(await ask(expression)).toBeCloseTo(expected, 9);
  });

  test("the process's own figures arrive too", async () => {
    expect(await ask('sum(process_cpu_time_seconds_total{job="shop"})')).toBeGreaterThan(0.05);
    expect(await ask("process_memory_usage_bytes")).toBeGreaterThan(2e7);
    expect(await ask("nodejs_eventloop_utilization_ratio")).toBeLessThanOrEqual(1);
  });

  test("promtool's only advice is about names that the conventions gave", async () => {
    const page = await (await fetch(url)).text();
    const { stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: page, encoding: "utf8" });
    expect((stdout + stderr).trim().split("\n")).toEqual([
      expect.stringMatching(/^db_client_connection_count .*_count/),
      expect.stringMatching(/^na_ve_orders_total no help text/),
    ]);
  });
});
