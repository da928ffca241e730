import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request as httpRequest } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, type MetricProducer } from "@opentelemetry/sdk-metrics";
import { type SelfCounter, selfCounters, setSay } from "@telltale/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  createPrometheusHandler,
  createPrometheusReader,
  type PrometheusReader,
  type PrometheusReaderOptions,
} from "../src/index.js";
import { buckets, counter, gauge, histogram } from "./pages.js";
import { parseOpenMetrics } from "./parse-openmetrics.js";

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function start(options: PrometheusReaderOptions = {}, attributes = {}) {
  const reading = createPrometheusReader({ port: 0, ...options });
  const resource = resourceFromAttributes({ "telemetry.sdk.language": "nodejs", ...attributes });
  const provider = new MeterProvider({ readers: [reading.reader], resource });
  undo.push(() => provider.shutdown());
  return { ...reading, provider, url: await urlOf(reading) };
}

async function urlOf({ listening }: PrometheusReader): Promise<string> {
  const result = await listening;
  if ("error" in result) throw new Error(result.error);
  return result.url;
}

/** A server on a free port that is no endpoint of ours. */
async function occupy(): Promise<number> {
  const server = createTcpServer();
  undo.push(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

test("a scrape answers with what was recorded", async () => {
  const { provider, url } = await start();
  provider.getMeter("app", "1.2.3").createCounter("orders", { unit: "{order}", description: "Orders." }).add(7);
  const response = await fetch(url);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+\/metrics$/);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = (await response.text()).split("\n");
  expect(lines).toContain('orders_total{otel_scope_name="app",otel_scope_version="1.2.3"} 7');
  expect(lines.find((line) => line.startsWith("target_info{"))).toContain('telemetry_sdk_language="nodejs"');
});

test.each([
  [undefined, 'x{otel_scope_name="app"} 1', "y 1"],
  [true, 'x{otel_scope_name="app"} 1', 'y{otel_scope_name="telltale"} 1'],
  [false, "x 1", "y 1"],
])("scope labels, option %s", async (scopeLabels, foreign, own) => {
  const { provider, url } = await start(scopeLabels === undefined ? {} : { scopeLabels });
  provider.getMeter("app").createGauge("x").record(1);
  provider.getMeter("telltale").createGauge("y").record(1);
  const lines = (await (await fetch(url)).text()).split("\n");
  expect(lines).toContain(foreign);
  expect(lines).toContain(own);
});

const OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** An answer as it comes over the wire. */
async function ask(url: string, headers: Record<string, string>, method = "GET") {
  const [response] = (await once(httpRequest(url, { headers, method }).end(), "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

test("a scraper gets the format it asks for, compressed if it likes", async () => {
  const { provider, url } = await start();
  provider.getMeter("app").createCounter("orders").add(7);
  const { headers, body } = await ask(url, { accept: OPENMETRICS, "accept-encoding": "gzip" });
  expect(headers).toMatchObject({
    "content-type": OPENMETRICS,
    "content-encoding": "gzip",
    vary: "accept, accept-encoding",
  });
  const families = parseOpenMetrics(gunzipSync(body).toString());
  expect(families.map(({ name, type }) => [name, type])).toEqual([
    ["target", "info"],
    ["orders", "counter"],
  ]);
  const plain = await ask(url, { accept: OPENMETRICS });
  expect(plain.headers["content-encoding"]).toBeUndefined();
  expect(plain.body.toString()).toBe(gunzipSync(body).toString());
});

test("HEAD has the headers and no body", async () => {
  const { url } = await start();
  const { status, headers, body } = await ask(url, { accept: OPENMETRICS, "accept-encoding": "gzip" }, "HEAD");
  expect(status).toBe(200);
  expect(headers).toMatchObject({ "content-type": OPENMETRICS, "content-encoding": "gzip" });
  expect(body).toHaveLength(0);
});

test("with upstream's names there is one format", async () => {
  const { provider, url } = await start({ naming: "upstream" });
  provider.getMeter("app").createHistogram("took", { unit: "s" }).record(1);
  const { headers, body } = await ask(url, { accept: OPENMETRICS });
  expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(body.toString()).toMatch(/^took_count\{otel_scope_name="app"\} 1$/m);
});

test("resource attributes are labels on request, and target_info has them all", async () => {
  const { provider, url } = await start(
    { resourceLabels: ["k8s.*", "service.name"], scopeLabels: false },
    { "service.name": "shop", "k8s.pod.name": "a-1", "host.name": "h", k8s: "no" },
  );
  provider.getMeter("app").createGauge("x").record(1, { "service.name": "own" });
  provider.getMeter("app").createGauge("y").record(1);
  const lines = (await (await fetch(url)).text()).split("\n");
  expect(lines).toContain('x{k8s_pod_name="a-1",service_name="own"} 1');
  expect(lines).toContain('y{k8s_pod_name="a-1",service_name="shop"} 1');
  expect(lines.find((line) => line.startsWith("target_info{"))).toContain('host_name="h",k8s="no",k8s_pod_name="a-1"');
});

test("what is merged is shown, and what cannot be merged fails the scrape", async () => {
  let fails = false;
  const { provider, url } = await start({
    scopeLabels: false,
    async merge(own) {
      if (fails) throw new Error("a worker does not answer");
      expect(own.resource.attributes).toHaveProperty(["telemetry.sdk.language"]);
      const other = { scope: { name: "other" }, metrics: [counter("orders", [[{}, 30]])] };
      return { ...own, scopeMetrics: [...own.scopeMetrics, other] };
    },
  });
  provider.getMeter("app").createCounter("orders").add(7);
  expect(await (await fetch(url)).text()).toMatch(/^orders_total 37$/m);
  fails = true;
  const response = await fetch(url);
  expect([response.status, await response.text()]).toEqual([503, "Metrics cannot be read: a worker does not answer\n"]);
});

describe("a page that is too large", () => {
  const many = gauge(
    "many",
    Array.from({ length: 1000 }, (_, n) => [{ route: `/a/rather/long/route/${n}` }, n] as const),
  );
  const few = counter("few", [[{}, 1]]);

  test.each([
    ["text", "text/plain"],
    ["OpenMetrics", OPENMETRICS],
    ["protobuf", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"],
  ])("as %s it is cut between two series of the largest metric, said and counted once", async (_, accept) => {
    const said = listenToSay();
    const before = droppedFor("size");
    const { url } = await start({ metricProducers: [producerOf(many, few)], maxPageBytes: 10_000 });
    const { body } = await ask(url, { accept });
    expect(body.length).toBeGreaterThan(10_000);
    expect(body.length).toBeLessThan(10_200);
    const text = body.toString("latin1");
    expect(text).toContain("few_total");
    const shown = text.match(/rather/g)?.length ?? 0;
    if (accept === OPENMETRICS) expect(parseOpenMetrics(text).at(-1)?.samples).toHaveLength(shown);
    expect(shown).toBeGreaterThan(50);
    await ask(url, { accept });
    expect(said).toEqual([
      `a metric is missing for Prometheus: ${1000 - shown} of the 1000 series of many, because a page ends at 10000 bytes (maxPageBytes)`,
    ]);
    expect(droppedFor("size") - before).toBe(1);
  });

  test("with upstream's names too", async () => {
    const { url } = await start({ metricProducers: [producerOf(few, many)], maxPageBytes: 10_000, naming: "upstream" });
    const { body } = await ask(url, {});
    expect(body.length).toBeLessThan(10_200);
    expect(body.toString()).toMatch(/\n$/);
  });
});

function droppedFor(reason: string): number {
  const isIt = ({ metric, value }: SelfCounter) => metric === "telltale.metrics.dropped" && value === reason;
  return [...selfCounters()].find(isIt)?.total ?? 0;
}

test.each([
  ["/", "GET", 404, "Metrics are at /stats\n"],
  ["/metrics", "GET", 404, "Metrics are at /stats\n"],
  ["/stats/", "GET", 404, "Metrics are at /stats\n"],
  ["/stats?x=1", "GET", 200, undefined],
  ["/stats", "POST", 405, "Metrics are read with GET.\n"],
  ["/stats", "DELETE", 405, "Metrics are read with GET.\n"],
])("%s %s: %i", async (path, method, status, text) => {
  const { url } = await start({ path: "/stats" });
  const response = await fetch(new URL(path, url), { method });
  expect(response.status).toBe(status);
  if (text !== undefined) expect(await response.text()).toBe(text);
  if (status === 405) expect(response.headers.get("allow")).toBe("GET, HEAD");
});

test("on a server of one's own, whatever the path", async () => {
  const { reader, handler } = createPrometheusHandler();
  const provider = new MeterProvider({ readers: [reader] });
  provider.getMeter("app").createCounter("orders").add(3);
  const server = createServer(handler).listen(0, "127.0.0.1");
  undo.push(
    () => server.close(),
    () => provider.shutdown(),
  );
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await (await fetch(`http://127.0.0.1:${port}/anything`)).text()).toContain("orders_total{");
});

test("a large page arrives whole", async () => {
  const bounds = Array.from({ length: 14 }, (_, n) => n);
  const points = Array.from(
    { length: 2000 },
    (_, n) => [{ route: `/a/rather/long/route/${n}` }, buckets(bounds, [...bounds, 1], 1)] as const,
  );
  const { url } = await start({ metricProducers: [producerOf(histogram("took", points))] });
  const lines = (await (await fetch(url)).text()).trimEnd().split("\n");
  expect(lines.filter((line) => line.startsWith("took_"))).toHaveLength(2000 * 17);
  expect(lines.at(-1)).toMatch(/^took_count\{route="\/a\/rather\/long\/route\/1999",.*\} 92$/);
});

test.each([
  ["as it is", ""],
  ["compressed", "accept-encoding: gzip\r\n"],
])("whoever stops reading in the middle of a page %s, and goes, hinders nobody", async (_, header) => {
  const said = listenToSay();
  const points = Array.from(
    { length: 20_000 },
    // What gzip cannot make small.
    (__, n) => [{ route: `/${n}/${randomBytes(200).toString("hex")}` }, n] as const,
  );
  const { url } = await start({ metricProducers: [producerOf(gauge("x", points))] });
  const lazy = connect(Number(new URL(url).port), "127.0.0.1");
  lazy.write(`GET /metrics HTTP/1.1\r\nhost: x\r\n${header}\r\n`);
  await once(lazy, "readable");
  // 8 MB do not fit in between: the page waits for this reader now, and no other one does.
  expect((await (await fetch(url)).text()).trimEnd().split("\n").at(-1)).toMatch(/ 19999$/);
  lazy.destroy();
  expect((await fetch(url)).status).toBe(200);
  expect(said).toEqual([]);
});

test("a producer that fails in part does not cost the rest, and is said once", async () => {
  const said = listenToSay();
  const producer = producerOf(gauge("x", [[{}, 1]]));
  const failing: MetricProducer = {
    collect: async () => ({ ...(await producer.collect()), errors: [new Error("no answer from the pool")] }),
  };
  const { url } = await start({ metricProducers: [failing] });
  for (let n = 0; n < 3; n++) expect(await (await fetch(url)).text()).toMatch(/^x(\{.*\})? 1$/m);
  expect(said).toEqual(["some metrics could not be collected: Error: no answer from the pool"]);
});

test("a producer that fails altogether is a 503, and the next scrape works", async () => {
  let fails = true;
  const producer = producerOf(gauge("x", [[{}, 1]]));
  const failing: MetricProducer = {
    collect: async () => {
      if (fails) throw new Error("broken");
      return producer.collect();
    },
  };
  const { url } = await start({ metricProducers: [failing] });
  const response = await fetch(url);
  expect([response.status, await response.text()]).toEqual([503, "Metrics cannot be read: broken\n"]);
  fails = false;
  expect((await fetch(url)).status).toBe(200);
});

test("a callback that never answers costs its own metric only, and a resource that is never known nothing", async () => {
  const resource = resourceFromAttributes({ known: "yes", unknown: new Promise<string>(() => {}) });
  const { reader, listening } = createPrometheusReader({ port: 0 });
  const provider = new MeterProvider({ readers: [reader], resource });
  undo.push(() => provider.shutdown());
  const said = listenToSay();
  const meter = provider.getMeter("app");
  meter.createCounter("orders").add(3);
  meter.createObservableGauge("stuck").addCallback(() => new Promise(() => {}));
  const result = await listening;
  const lines = (await (await fetch("url" in result ? result.url : "")).text()).split("\n");
  expect(lines).toContain('orders_total{otel_scope_name="app"} 3');
  expect(lines).toContain('target_info{known="yes"} 1');
  expect(said).toEqual([expect.stringMatching(/^some metrics could not be collected: /)]);
});

test("what cannot be shown is said and counted once, not at each scrape", async () => {
  const said = listenToSay();
  const producer = producerOf(gauge("conflicting", [[{}, 1]]), histogram("conflicting", [[{}, buckets([], [1])]]));
  const { url } = await start({ metricProducers: [producer] });
  for (let n = 0; n < 3; n++) await (await fetch(url)).text();
  expect(said).toEqual([
    "a metric is missing for Prometheus: conflicting: there is already another metric conflicting, of another type",
  ]);
  expect(droppedFor("type")).toBe(1);
});

test("a network that Node's permissions deny is an answer, as listening would throw where nobody can catch it", async () => {
  const { permission, allowedNodeEnvironmentFlags } = process;
  undo.push(() => Object.assign(process, { permission, allowedNodeEnvironmentFlags }));
  Object.assign(process, {
    permission: { has: (scope: string) => scope !== "net" },
    allowedNodeEnvironmentFlags: new Set(["--allow-net"]),
  });
  const { reader, listening } = createPrometheusReader({ port: 0 });
  undo.push(() => reader.shutdown());
  expect(await listening).toEqual({
    error: "metrics are not served on 127.0.0.1:0: this process may not use the network; start Node with --allow-net",
  });
});

test("a port in use is an answer that says what to do", async () => {
  const port = await occupy();
  const { listening, reader } = createPrometheusReader({ port });
  const result = await listening;
  expect(result).toEqual({
    error:
      `metrics are not served on 127.0.0.1:${port}: port ${port} is in use by this process itself; ` +
      "give it another port, or 0 for any free one (Telltale: OTEL_EXPORTER_PROMETHEUS_PORT)",
  });
  await new MeterProvider({ readers: [reader] }).shutdown();
});

test.runIf(process.platform === "linux").each([
  { options: [], shown: true },
  { options: ["--require", "node:http", "--import=node:https", "--max-http-header-size=9000"], shown: true },
  { options: ["--conditions", "secret"], shown: false },
])("a port in use names the process that has it, without its arguments: $options", async ({ options, shown }) => {
  const script = join(await mkdtemp(join(tmpdir(), "telltale-endpoint-")), "other.cjs");
  undo.push(() => rm(dirname(script), { recursive: true }));
  await writeFile(
    script,
    'require("net").createServer().listen(0, "::", function () { console.log(this.address().port) });',
  );
  const other = spawn(process.execPath, [...options, script, "--password=secret"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  undo.push(() => other.kill());
  const [port] = (await once(other.stdout, "data")) as [Buffer];
  const { listening, reader } = createPrometheusReader({ port: Number(port) });
  expect(await listening).toEqual({
    error: expect.stringContaining(
      `is in use by process ${other.pid} (${shown ? `node ${script}` : "node"}); give it another port`,
    ),
  });
  await new MeterProvider({ readers: [reader] }).shutdown();
});

test("with ports to try, the next free one is taken", async () => {
  const port = await occupy();
  const { url } = await start({ port, portsToTry: 20 });
  expect(Number(new URL(url).port)).toBeGreaterThan(port);
  expect(Number(new URL(url).port)).toBeLessThan(port + 20);
});

test("however many ports are in use, Node has nothing to warn the program of", async () => {
  const first = await freeRange();
  for (let n = 0; n < 12; n++) {
    const taken = createTcpServer().listen(first + n, "127.0.0.1");
    undo.push(() => taken.close());
    // In use by another program it is as good.
    await once(taken, "listening").catch(() => {});
  }
  const warnings: string[] = [];
  const hear = ({ message }: Error): number => warnings.push(message);
  process.on("warning", hear);
  undo.push(() => process.off("warning", hear));
  const { url } = await start({ port: first, portsToTry: 40 });
  expect(Number(new URL(url).port)).toBeGreaterThanOrEqual(first + 12);
  // Warnings come a turn later.
  await after(10);
  expect(warnings).toEqual([]);
});

test.each([
  [{ host: "192.0.2.1" }, /this machine has no address 192\.0\.2\.1; give it one that it has/],
  [{ port: 70_000 }, /70000/],
])("a place that cannot be: %o", async (options, expected) => {
  const { listening, reader } = createPrometheusReader({ port: 0, ...options });
  expect(await listening).toEqual({ error: expect.stringMatching(expected) });
  await new MeterProvider({ readers: [reader] }).shutdown();
});

test("who asks nothing, or reads not on, makes room for others after seconds", { timeout: 40_000 }, async () => {
  // More than the sockets of both sides take in: 20 MB.
  const text = "x".repeat(2_000);
  const page = producerOf(
    gauge(
      "large",
      Array.from({ length: 10_000 }, (_, at) => [{ at, text }, 1] as const),
    ),
  );
  const { url } = await start({ metricProducers: [page] });
  const { port } = new URL(url);
  const stalled = Array.from({ length: 32 }, (_, at) => {
    const socket = connect(Number(port), "127.0.0.1").on("error", () => {});
    if (at > 0) socket.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    undo.push(() => socket.destroy());
    return socket.pause();
  });
  await Promise.all(stalled.map(async (socket) => once(socket, "connect")));
  await expect(fetch(url)).rejects.toThrow();
  let answer: Response | undefined;
  for (const end = Date.now() + 25_000; answer?.status !== 200 && Date.now() < end; await after(500)) {
    answer = await fetch(url).catch(() => undefined);
  }
  expect(answer?.status).toBe(200);
  await answer?.body?.cancel();
  const [silent] = stalled;
  await vi.waitFor(() => expect(silent?.resume().closed).toBe(true), 10_000);
});

test("however much one connection asks for at once, few pages are made, and then there is room again", async () => {
  let collecting = 0;
  let most = 0;
  const page = producerOf(gauge("x", [[{}, 1]]));
  const slow: MetricProducer = {
    async collect() {
      most = Math.max(most, ++collecting);
      await after(100);
      collecting--;
      return page.collect();
    },
  };
  const { url } = await start({ metricProducers: [slow] });
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  undo.push(() => socket.destroy());
  let answers = "";
  socket.on("data", (chunk: Buffer) => (answers += chunk.toString("latin1")));
  socket.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200));
  const statuses = () => answers.match(/HTTP\/1\.1 \d+/g) ?? [];
  for (const end = Date.now() + 4_000; statuses().length < 200 && Date.now() < end;) await after(20);
  expect(most).toBeLessThanOrEqual(8);
  expect(statuses().filter((status) => status.endsWith("200"))).toHaveLength(8);
  expect(statuses().filter((status) => status.endsWith("503"))).toHaveLength(192);
  expect((await fetch(url)).status).toBe(200);
});

test("a page that is read a little at a time has an end", async () => {
  const limits: AbortController[] = [];
  const timeout = vi.spyOn(AbortSignal, "timeout").mockImplementation(() => {
    const limit = new AbortController();
    limits.push(limit);
    return limit.signal;
  });
  undo.push(() => timeout.mockRestore());
  const said = listenToSay();
  const text = "x".repeat(2_000);
  const page = gauge(
    "large",
    Array.from({ length: 10_000 }, (_, at) => [{ at, text }, 1] as const),
  );
  const { url } = await start({ metricProducers: [producerOf(page)] });
  const socket = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => {});
  undo.push(() => socket.destroy());
  socket.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(socket, "readable");
  expect(timeout).toHaveBeenCalledWith(60_000);
  const closed = once(socket, "close");
  limits[0]?.abort();
  socket.resume();
  await closed;
  expect(said).toEqual([]);
});

test("the server is shown before it listens", async () => {
  let listened: boolean | undefined;
  await start({ onServer: (server) => (listened = server.listening) });
  expect(listened).toBe(false);
});

test("shutdown closes at once, with a kept connection and a request under way", async () => {
  let release = () => {};
  const slow: MetricProducer = {
    collect: () => new Promise((resolve) => (release = () => resolve(producerOf().collect()))),
  };
  const { url, provider } = await start({ metricProducers: [slow] });
  const { port } = new URL(url);
  const idle = connect(Number(port), "127.0.0.1");
  const pending = httpRequest(url).end();
  const failed = once(pending, "error").catch((error: unknown) => error);
  await once(idle, "connect");
  // Until the request has reached the producer.
  while (release.toString() === "() => {}") await new Promise(setImmediate);
  const closed = once(idle, "close");
  const began = performance.now();
  await provider.shutdown();
  await Promise.all([closed, failed]);
  expect(performance.now() - began).toBeLessThan(1000);
  release();
  await expect(fetch(url)).rejects.toThrow();
});

test("shutdown before it listens settles", async () => {
  const { listening, reader } = createPrometheusReader({ port: 0, host: "localhost" });
  await new MeterProvider({ readers: [reader] }).shutdown();
  expect(await listening).toEqual({ error: expect.stringContaining("shut down before it listened") });
});

const built = JSON.stringify(new URL("../dist/index.js", import.meta.url).href);
const folder = fileURLToPath(new URL("..", import.meta.url));

test("nothing keeps the process alive, not even an open connection", async () => {
  // Another process, this one, holds a connection open; the program says where and has nothing more to do.
  const program = spawn(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `
    import { MeterProvider } from "@opentelemetry/sdk-metrics";
    import { createPrometheusReader } from ${built};
    const { reader, listening } = createPrometheusReader({ port: 0 });
    new MeterProvider({ readers: [reader] });
    const wait = setInterval(() => {}, 1000);
    console.log((await listening).url);
    process.stdin.once("data", () => {
      clearInterval(wait);
      process.stdin.destroy();
    });
  `,
    ],
    { cwd: folder, stdio: ["pipe", "pipe", "inherit"] },
  );
  const exited = once(program, "exit");
  const [url] = (await once(program.stdout, "data")) as [Buffer];
  const held = connect(Number(new URL(String(url)).port), "127.0.0.1");
  undo.push(() => held.destroy());
  await once(held, "connect");
  const began = performance.now();
  program.stdin.end("go\n");
  expect(await exited).toEqual([0, null]);
  expect(performance.now() - began).toBeLessThan(2000);
});

test("cluster workers listen each for itself", async () => {
  const directory = await mkdtemp(join(tmpdir(), "telltale-endpoint-"));
  undo.push(() => rm(directory, { recursive: true }));
  const file = join(directory, "workers.mjs");
  await writeFile(
    file,
    `
    import cluster from "node:cluster";
    import { createPrometheusReader } from ${built};
    const port = ${await freeRange()};
    if (cluster.isPrimary) {
      const results = [];
      for (let n = 0; n < 2; n++) cluster.fork().on("message", (message) => {
        if (results.push(message) < 2) return;
        console.log(JSON.stringify(results));
        for (const worker of Object.values(cluster.workers)) worker.kill();
      });
    } else {
      process.send(await createPrometheusReader({ port, portsToTry: 10 }).listening);
    }
  `,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 });
  const urls = (JSON.parse(stdout) as { url: string }[]).map(({ url }) => url);
  expect(new Set(urls).size).toBe(2);
  for (const url of urls) expect(url).toMatch(/^http:/);
});

/** A port that was free just now; those above it usually are. */
async function freeRange(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return Math.min(port, 65_000);
}

function producerOf(...metrics: ReturnType<typeof gauge>[]): MetricProducer {
  return {
    collect: async () => ({
      // The reader takes the resource of its MeterProvider.
      resourceMetrics: { resource: undefined as never, scopeMetrics: [{ scope: { name: "app" }, metrics }] },
      errors: [],
    }),
  };
}

function listenToSay(): string[] {
  const said: string[] = [];
  setSay((_, line) => said.push(line));
  undo.push(() => setSay(() => {}));
  return said;
}
