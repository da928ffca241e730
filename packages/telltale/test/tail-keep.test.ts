import { createServer } from "node:http";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  addListener,
  addSpanListener,
  contextOf,
  endOperation,
  type Finding,
  setSay,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { createInsights } from "@telltale/insights";
import { createMetrics, type HistogramDataPoint } from "@telltale/metrics";
import { getRequest } from "@telltale/test/requests";
import { template } from "@telltale/test/template";
import { startOtlpReceiver } from "@telltale/testkit";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import type { TelltaleOptions } from "../src/config/options.js";
import { resolveConfig } from "../src/config/resolve.js";
import { createTracing } from "../src/tracing.js";

const said: string[] = [];
setSay((_, line) => said.push(line));
afterEach(() => {
  vi.unstubAllEnvs();
  said.length = 0;
});

const served = getRequest();

const orders = template({ poolName: "shop" });

/** What a collector gets of a request that failed and one that did not, of which none is sampled. */
async function exportedWith(env: Record<string, string>, code: object = {}) {
  const receiver = await startOtlpReceiver();
  onTestFinished(() => receiver.close());
  const all = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0", ...env };
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
  const config = resolveConfig({ traces: { endpoint: receiver.url }, ...code }, all, undefined, "/");
  const { provider } = createTracing(config, emptyResource());
  if (provider === undefined) throw new Error("there is no provider");
  const stop = addSpanListener(provider);
  for (const status of [200, 500]) {
    const operation = startHttpServerOperation(served, ROOT_CONTEXT);
    operation.statusCode = status;
    if (status === 500) operation.errorType = "500";
    endOperation(operation);
  }
  stop();
  await provider.forceFlush();
  await provider.shutdown();
  return receiver.spans.map(({ attributes }) => [attributes["http.response.status_code"], attributes["telltale.kept"]]);
}

test.each(["http/protobuf", "http/json"])("by %s", async (protocol) => {
  const spans = await exportedWith({
    TELLTALE_TRACES_KEEP: "error, finding",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocol,
  });
  expect(spans).toEqual([[500, "error"]]);
});

test("exemplars point to what is exported, a request's own among them", async () => {
  const metrics = createMetrics({ runtime: false });
  onTestFinished(addListener(metrics.listener));
  const receiver = await startOtlpReceiver();
  onTestFinished(() => receiver.close());
  const keep = { sampler: "always_off", keep: ["error"], keepPerSecond: 1e6, endpoint: receiver.url };
  const config = resolveConfig({ traces: keep } as TelltaleOptions, {}, undefined, "/");
  const { provider } = createTracing(config, emptyResource());
  if (provider === undefined) throw new Error("there is no provider");
  const stop = addSpanListener(provider);
  for (let i = 0; i < 20; i++) {
    const operation = startHttpServerOperation(served, ROOT_CONTEXT);
    endOperation(startDatabaseOperation(orders, undefined, undefined, contextOf(operation)));
    operation.statusCode = i % 3 === 0 ? 500 : 200;
    if (i % 3 === 0) operation.errorType = "500";
    endOperation(operation);
  }
  stop();
  await provider.shutdown();
  const { resourceMetrics } = await metrics.producer.collect();
  const exemplars = resourceMetrics.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .filter(({ descriptor }) => /duration/.test(descriptor.name))
    .flatMap(({ dataPoints }) => (dataPoints as HistogramDataPoint[]).flatMap((point) => point.exemplars));
  expect(exemplars.length).toBeGreaterThan(0);
  expect(receiver.spans).toHaveLength(14);
  const exported = new Set(receiver.spans.map(({ spanId }) => spanId));
  for (const { spanId } of exemplars) expect(exported).toContain(spanId);
});

test("by Zipkin, which is not OTLP", async () => {
  let body = "";
  const zipkin = createServer((request, response) => {
    request.on("data", (part) => (body += part)).on("end", () => response.writeHead(202).end());
  });
  await new Promise<void>((resolve) => zipkin.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void zipkin.close());
  const { port } = zipkin.address() as { port: number };
  await exportedWith({
    TELLTALE_TRACES_KEEP: "error",
    OTEL_TRACES_EXPORTER: "zipkin",
    OTEL_EXPORTER_ZIPKIN_ENDPOINT: `http://127.0.0.1:${port}/api/v2/spans`,
  });
  expect((JSON.parse(body) as { tags: object }[]).map(({ tags }) => tags)).toEqual([
    expect.objectContaining({ "telltale.kept": "error" }),
  ]);
});

test("what is slow, and how much a second", async () => {
  const slow = { TELLTALE_TRACES_KEEP: "slow", TELLTALE_TRACES_KEEP_SLOW_MS: "0" };
  expect(await exportedWith(slow)).toEqual([
    [200, "slow"],
    [500, "slow"],
  ]);
  expect(await exportedWith({ ...slow, TELLTALE_TRACES_KEEP_PER_SECOND: "1" })).toEqual([[200, "slow"]]);
  expect(await exportedWith({ ...slow, TELLTALE_TRACES_KEEP_PER_SECOND: "0" })).toEqual([]);
});

test.each<[string, Record<string, string>]>([
  ["by default", {}],
  ["with none", { TELLTALE_TRACES_KEEP: "none" }],
])("%s nothing is kept", async (_, env) => {
  expect(await exportedWith(env)).toEqual([]);
  expect(said).toEqual([]);
});

test.each<[string, object]>([
  ['with engine "sdk"', { engine: "sdk" }],
  ["with a sampler of your own", { sdk: { sampler: { shouldSample: () => ({ decision: 0 }) } } }],
])("%s it has no effect, and a line says so", async (what, code) => {
  expect(await exportedWith({ TELLTALE_TRACES_KEEP: "error" }, code)).toEqual([]);
  expect(said).toEqual([`traces.keep has no effect ${what}`]);
});

test("a finding keeps its request, says so, and names the query's own span", async () => {
  const receiver = await startOtlpReceiver();
  onTestFinished(() => receiver.close());
  const config = resolveConfig(
    { traces: { endpoint: receiver.url, sampler: "parentbased_always_off", keep: ["finding"] } },
    {},
    undefined,
    "/",
  );
  const { provider } = createTracing(config, emptyResource());
  if (provider === undefined) throw new Error("there is no provider");
  const findings: Finding[] = [];
  const undo = [
    addListener(createInsights({ slowQueryMs: 200 })),
    addListener({ name: "test", findingMade: (finding) => void findings.push(finding) }),
    addSpanListener(provider),
  ];
  const operation = startHttpServerOperation(served, ROOT_CONTEXT);
  for (const waits of [0, 250]) {
    const query = startDatabaseOperation(orders, "SELECT 7", [7], contextOf(operation));
    await new Promise((resolve) => setTimeout(resolve, waits));
    endOperation(query);
  }
  operation.statusCode = 200;
  endOperation(operation);
  for (const step of undo) step();
  await provider.forceFlush();
  await provider.shutdown();
  expect(findings).toMatchObject([{ kind: "slow_query", sampled: true }]);
  const slow = receiver.spans.find(({ attributes }) => attributes["telltale.slow.reason"] === "threshold");
  expect(slow).toMatchObject({ traceId: findings[0]?.traceId, spanId: findings[0]?.spanId });
  expect(receiver.spans.map(({ attributes }) => attributes["telltale.kept"])).toEqual([
    "finding",
    "finding",
    "finding",
  ]);
});
