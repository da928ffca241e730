import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout as after } from "node:timers/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MeterProvider, type MetricProducer } from "@opentelemetry/sdk-metrics";
import { selfCounters, setSay } from "@telltale/core";
import { afterEach, expect, test } from "vitest";
import {
  createPrometheusHandler,
  createPrometheusReader,
  type PrometheusReader,
  type PrometheusReaderOptions,
} from "../src/index.js";
import { buckets, gauge, histogram } from "./pages.js";

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function start(options: PrometheusReaderOptions = {}) {
  const reading = createPrometheusReader({ port: 0, ...options });
  const provider = new MeterProvider({ readers: [reading.reader] });
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

test("HEAD has the headers and no body", async () => {
  const { url } = await start();
  const response = await fetch(url, { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(await response.text()).toBe("");
});

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

test("whoever stops reading in the middle of a page, and goes, hinders nobody", async () => {
  const points = Array.from(
    { length: 20_000 },
    (_, n) => [{ route: `/a/rather/long/${"x".repeat(400)}/${n}` }, n] as const,
  );
  const { url } = await start({ metricProducers: [producerOf(gauge("x", points))] });
  const lazy = connect(Number(new URL(url).port), "127.0.0.1");
  lazy.write("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(lazy, "readable");
  // 8 MB do not fit in between: the page waits for this reader now, and no other one does.
  expect((await (await fetch(url)).text()).trimEnd().split("\n").at(-1)).toMatch(/ 19999$/);
  lazy.destroy();
  expect((await fetch(url)).status).toBe(200);
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

test("what cannot be shown is said and counted once, not at each scrape", async () => {
  const said = listenToSay();
  const producer = producerOf(gauge("conflicting", [[{}, 1]]), histogram("conflicting", [[{}, buckets([], [1])]]));
  const { url } = await start({ metricProducers: [producer] });
  for (let n = 0; n < 3; n++) await (await fetch(url)).text();
  expect(said).toEqual([
    "a metric is missing for Prometheus: conflicting: there is already another metric conflicting, of another type",
  ]);
  const counted = [...selfCounters()].filter(({ metric }) => metric === "telltale.metrics.dropped");
  expect(counted).toMatchObject([{ attribute: "telltale.reason", value: "type", total: 1 }]);
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
      "set OTEL_EXPORTER_PROMETHEUS_PORT to another one, or to 0 for any free one",
  });
  await new MeterProvider({ readers: [reader] }).shutdown();
});

test("with ports to try, the next free one is taken", async () => {
  const port = await occupy();
  const { url } = await start({ port, portsToTry: 20 });
  expect(Number(new URL(url).port)).toBeGreaterThan(port);
  expect(Number(new URL(url).port)).toBeLessThan(port + 20);
});

test.each([
  [{ host: "192.0.2.1" }, /this machine has no address 192\.0\.2\.1; set OTEL_EXPORTER_PROMETHEUS_HOST/],
  [{ port: 70_000 }, /70000/],
])("a place that cannot be: %o", async (options, expected) => {
  const { listening, reader } = createPrometheusReader({ port: 0, ...options });
  expect(await listening).toEqual({ error: expect.stringMatching(expected) });
  await new MeterProvider({ readers: [reader] }).shutdown();
});

test("who does not read on makes room for others after a few seconds", { timeout: 40_000 }, async () => {
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
  const stalled = Array.from({ length: 32 }, () => {
    const socket = connect(Number(port), "127.0.0.1").on("error", () => {});
    socket.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    undo.push(() => socket.destroy());
    return socket.pause();
  });
  await Promise.all(stalled.map(async (socket) => once(socket, "connect")));
  await expect(fetch(url)).rejects.toThrow();
  let answer: Response | undefined;
  for (const end = Date.now() + 25_000; answer === undefined && Date.now() < end; await after(500)) {
    answer = await fetch(url).catch(() => undefined);
  }
  expect(answer?.status).toBe(200);
  await answer?.body?.cancel();
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
