import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationType,
  InstrumentType,
  type MetricData,
  MeterProvider,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import { namings, type NamingStrategy } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type PrometheusServer, startPrometheus } from "@telltale/test/servers";
import { sample } from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPrometheusHandler, type Exemplar, type Handler, type Page } from "../src/index.js";
import { buckets, counter, histogram, withExemplars } from "./pages.js";
import { pageOf } from "./random-pages.js";

const PAGES_OF_EACH = 20;
const strategies = (Object.keys(namings) as NamingStrategy[]).filter((naming) => naming !== "upstream");
const traceOf = (n: number) => `${n}`.repeat(32);
const spanOf = (n: number) => `${n}`.repeat(16);
const nowSeconds = Math.floor(Date.now() / 1000);
const exemplarOf = (n: number, value: number): Exemplar => ({
  value,
  timestamp: [nowSeconds, 123_456_789],
  traceId: traceOf(n),
  spanId: spanOf(n),
});

function producerOf(scopeMetrics: Page["scopeMetrics"]): MetricProducer {
  // The reader takes the resource of its MeterProvider.
  const resourceMetrics = { resource: undefined as never, scopeMetrics: [...scopeMetrics] };
  return { collect: async () => ({ resourceMetrics, errors: [] }) };
}

/** A real Prometheus reads all of these at once: 2.42 by OpenMetrics, or by protobuf where it takes native histograms. */
describeWith(["prometheus"], "a real Prometheus", () => {
  const undo: (() => unknown)[] = [];
  const handlers = new Map<string, Handler>();
  const contentTypes = new Map<string, Set<string>>();
  let byText: PrometheusServer;
  let byProtobuf: PrometheusServer;

  function serve(path: string, naming: NamingStrategy, page: Page): void {
    const { reader, handler } = createPrometheusHandler({ naming, metricProducers: [producerOf(page.scopeMetrics)] });
    const provider = new MeterProvider({
      readers: [reader],
      resource: resourceFromAttributes(page.resource.attributes),
    });
    undo.push(() => provider.shutdown());
    handlers.set(path, handler);
  }

  /** What an app has recorded with the SDK, the duration as exponential histogram, and metrics with exemplars. */
  function serveApp(): void {
    const took = histogram("took", [[{ route: "/" }, buckets([0.5, 1, 2_000_000], [10, 20, 30, 40], 100)]], {
      unit: "s",
      description: 'Time, "as it\nis".',
    });
    const orders = counter("orders", [[{ shop: "north" }, 7]], { unit: "{order}" });
    const metrics: MetricData[] = [
      withExemplars(took, [exemplarOf(1, 0.25), exemplarOf(2, 1.5), exemplarOf(3, 3_000_000)]),
      withExemplars(orders, [exemplarOf(4, 1)]),
    ];
    const { reader, handler } = createPrometheusHandler({
      metricProducers: [producerOf([{ scope: { name: "made" }, metrics }])],
      resourceLabels: ["host.*"],
    });
    const provider = new MeterProvider({
      readers: [reader],
      resource: resourceFromAttributes({ "service.name": "shop", "host.name": "a" }),
      views: [
        {
          instrumentType: InstrumentType.HISTOGRAM,
          aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
        },
      ],
    });
    undo.push(() => provider.shutdown());
    const size = provider.getMeter("app", "1.0").createHistogram("size", { unit: "By" });
    for (let n = 1; n <= 1000; n++) size.record(n, { kind: "upload" });
    size.record(0, { kind: "upload" });
    handlers.set("/app", handler);
  }

  beforeAll(async () => {
    serveApp();
    for (const naming of strategies) {
      for (const [n, page] of sample(pageOf(80), PAGES_OF_EACH).entries()) serve(`/${naming}/${n}`, naming, page);
    }
    serve("/upstream", "upstream", {
      resource: { attributes: { "service.name": "shop" } },
      scopeMetrics: [{ scope: { name: "app" }, metrics: [counter("orders", [[{ shop: "north" }, 7]])] }],
    });
    const server = createServer((request, response) => {
      const [, way, path = ""] = /^(\/[a-z]+)(\/.*)$/.exec(request.url ?? "") ?? [];
      // Prometheus 2.42 cannot be told to ask for text 0.0.4; whoever says nothing gets it.
      if (way === "/plain") delete request.headers.accept;
      const writeHead = response.writeHead.bind(response);
      response.writeHead = (status: number, headers?: unknown) => {
        const { "content-type": type = "", "content-encoding": encoding } = headers as Record<string, string>;
        const key = `${way} ${encoding}`;
        contentTypes.set(key, (contentTypes.get(key) ?? new Set()).add(type));
        return writeHead(status, headers as Record<string, string>);
      };
      handlers.get(path)?.(request, response);
    }).listen(0, "127.0.0.1");
    undo.push(() => server.close());
    await once(server, "listening");
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const scrape = (...ways: string[]) =>
      ways.flatMap((way) => [...handlers.keys()].map((path) => ({ job: way + path, target, path: way + path })));
    [byText, byProtobuf] = await Promise.all([
      startPrometheus({ scrape: scrape("/plain", "/text"), scrapeInterval: "3s" }),
      startPrometheus({ scrape: scrape("/protobuf"), scrapeInterval: "3s", nativeHistograms: true }),
    ]);
    undo.push(byText.stop, byProtobuf.stop);
  });
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
  });

  async function ask<T>({ url }: PrometheusServer, path: string, parameters: Record<string, string> = {}): Promise<T> {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    return ((await response.json()) as { data: T }).data;
  }

  /** The value of each series of an expression, once there are any. */
  async function query(prometheus: PrometheusServer, expression: string) {
    for (let tries = 0; ; tries++) {
      const { result } = await ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
        prometheus,
        "query",
        { query: expression },
      );
      if (result.length > 0 || tries === 60) return result;
      await sleep(250);
    }
  }

  async function valueOf(prometheus: PrometheusServer, expression: string): Promise<number> {
    const [first] = await query(prometheus, expression);
    return Number(first?.value[1]);
  }

  interface Target {
    readonly health: string;
    readonly lastError: string;
    readonly scrapePool: string;
  }

  test.each([
    ["text 0.0.4 and OpenMetrics", () => byText],
    ["protobuf", () => byProtobuf],
  ])("reads every page as %s, and each series once", async (_, prometheus) => {
    let targets: readonly Target[] = [];
    for (let tries = 0; tries < 60; tries++) {
      ({ activeTargets: targets } = await ask<{ activeTargets: Target[] }>(prometheus(), "targets"));
      if (targets.length > 0 && targets.every(({ health }) => health !== "unknown")) break;
      await sleep(250);
    }
    expect(targets.length).toBeGreaterThan(PAGES_OF_EACH * strategies.length);
    expect(targets.filter(({ health }) => health !== "up")).toEqual([]);
    const own = await (await fetch(`${prometheus().url}/metrics`)).text();
    const refused = /^prometheus_target_scrapes_(?:sample|exemplar)_(?:duplicate|out).+ [1-9].*$/gm;
    expect(own.match(refused)).toBe(null);
    expect(own).toMatch(/^prometheus_target_scrapes_sample_duplicate_timestamp_total 0$/m);
  });

  test("takes as many samples as a page has lines", async () => {
    const taken = await query(byText, 'scrape_samples_scraped{job=~"/text/.*"}');
    expect(taken).toHaveLength(handlers.size);
    for (const { metric, value } of taken) {
      const accept = "application/openmetrics-text";
      const page = await (await fetch(`http://${metric["instance"]}${metric["job"]}`, { headers: { accept } })).text();
      expect(Number(value[1]), metric["job"]).toBe(page.split("\n").filter((line) => /^[^#]/.test(line)).length);
    }
  });

  test("was answered in what it asked for, compressed", () => {
    expect(Object.fromEntries([...contentTypes].map(([key, types]) => [key, [...types].sort()]))).toMatchObject({
      "/plain gzip": ["text/plain; version=0.0.4; charset=utf-8"],
      "/text gzip": [
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "text/plain; version=0.0.4; charset=utf-8",
      ],
      "/protobuf gzip": [
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        "text/plain; version=0.0.4; charset=utf-8",
      ],
    });
  });

  describe.each([
    ["OpenMetrics", "/text/app", () => byText],
    ["protobuf", "/protobuf/app", () => byProtobuf],
  ])("by %s", (_, job, prometheus) => {
    test("a series is the same as by the others", async () => {
      const [series] = await query(prometheus(), `took_seconds_bucket{job="${job}",le="2e+06"}`);
      expect(series?.value[1]).toBe("60");
      expect(await valueOf(prometheus(), `took_seconds_bucket{job="${job}",le="1.0"}`)).toBe(30);
      expect(await valueOf(prometheus(), `took_seconds_count{job="${job}",host_name="a"}`)).toBe(100);
      expect(await valueOf(prometheus(), `took_seconds_sum{job="${job}",otel_scope_name="made"}`)).toBe(100);
      expect(await valueOf(prometheus(), `orders_total{job="${job}",shop="north"}`)).toBe(7);
      expect(await valueOf(prometheus(), `target_info{job="${job}",service_name="shop"}`)).toBe(1);
    });

    test.each([
      ["took_seconds_bucket", [traceOf(1), traceOf(2), traceOf(3)]],
      ["orders_total", [traceOf(4)]],
    ])("the exemplars of %s come back", async (name, traces) => {
      await query(prometheus(), `${name}{job="${job}"}`);
      const found = await ask<{ exemplars: { labels: Record<string, string>; timestamp: number; value: string }[] }[]>(
        prometheus(),
        "query_exemplars",
        { query: `${name}{job="${job}"}`, start: String(nowSeconds - 60), end: String(nowSeconds + 60) },
      );
      const exemplars = found.flatMap((series) => series.exemplars);
      expect(exemplars.map(({ labels }) => labels["trace_id"]).sort()).toEqual(traces);
      expect(exemplars.map(({ labels }) => labels["span_id"]).sort()).toEqual(traces.map((id) => id.slice(16)));
      expect(exemplars[0]?.timestamp).toBeCloseTo(nowSeconds + 0.123, 3);
    });
  });

  test("a native histogram answers for its quantiles", async () => {
    const native = `size_bytes{job="/protobuf/app",kind="upload"}`;
    expect(await valueOf(byProtobuf, `histogram_count(${native})`)).toBe(1001);
    expect(await valueOf(byProtobuf, `histogram_sum(${native})`)).toBe(500_500);
    for (const quantile of [0.1, 0.5, 0.9, 0.99]) {
      // 160 buckets from 1 to 1000 are a scale of 4: each is 4.4 % wide.
      const found = await valueOf(byProtobuf, `histogram_quantile(${quantile}, ${native})`);
      expect(found / (quantile * 1000)).toBeGreaterThan(0.95);
      expect(found / (quantile * 1000)).toBeLessThan(1.05);
    }
    const half = await valueOf(byProtobuf, `histogram_fraction(0, 500, ${native})`);
    expect(half).toBeCloseTo(0.5, 1);
  });

  test("by OpenMetrics an exponential histogram has buckets at powers of two", async () => {
    const bucket = `size_bytes_bucket{job="/text/app",kind="upload"`;
    expect(await valueOf(byText, `${bucket},le="512.0"}`)).toBe(513);
    expect(await valueOf(byText, `${bucket},le="+Inf"}`)).toBe(1001);
    const median = await valueOf(byText, `histogram_quantile(0.5, ${bucket}})`);
    expect(median).toBeGreaterThan(256);
    expect(median).toBeLessThan(512);
  });

  test("upstream's names are served as upstream serves them", async () => {
    expect(await valueOf(byText, 'orders_total{job="/text/upstream",otel_scope_name="app"}')).toBe(7);
  });
});
