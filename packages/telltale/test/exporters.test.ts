import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { emptyResource } from "@opentelemetry/resources";
import { setSay } from "@telltale/core";
import { freePort } from "@telltale/test/servers";
import { type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { resolveConfig } from "../src/config/resolve.js";
import { createMetricExporter, createTraceExporter } from "../src/otlp/exporters.js";
import { createTracing } from "../src/tracing.js";

afterEach(() => vi.unstubAllEnvs());

/** A gRPC server that keeps the heads of calls and answers all with an empty message. */
async function grpcServer(): Promise<{ url: string; seen: IncomingHttpHeaders[] }> {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer();
  server.on("stream", (stream, headers) => {
    seen.push(headers);
    stream.on("error", () => {});
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.resume().on("end", () => stream.end(Buffer.alloc(5)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** Options as the configuration gives them. */
function configured(env: Record<string, string>, code: object = {}) {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  return resolveConfig(code, env, undefined, "/");
}

test("gRPC takes the endpoint of its signal, headers, and compression", async () => {
  const { url, seen } = await grpcServer();
  const env = {
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_HEADERS: "x-from=environment",
  };
  const { traces } = configured(env, { traces: { headers: { "x-token": "code" }, compression: "gzip" } });
  const exporter = createTraceExporter(traces ?? {});
  onTestFinished(() => exporter.shutdown());
  expect(await new Promise((resolve) => exporter.export([], resolve))).toEqual({ code: 0 });
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ "x-token": "code", "x-from": "environment", "grpc-encoding": "gzip" });
});

test.each(["traces", "metrics"] as const)(
  "gRPC of %s to nobody is one line, and the caller hears it",
  async (signal) => {
    const lines: string[] = [];
    setSay((level, line) => void (level !== "debug" && lines.push(line)));
    onTestFinished(() => setSay(() => {}));
    const options = { protocol: "grpc", endpoint: `http://127.0.0.1:${await freePort()}`, timeoutMs: 300 } as const;
    const resolved = configured({}, { [signal]: options })[signal] ?? {};
    const exporter = signal === "traces" ? createTraceExporter(resolved) : createMetricExporter(resolved);
    onTestFinished(() => exporter.shutdown());
    const nothing = { resource: emptyResource(), scopeMetrics: [] };
    for (let n = 0; n < 2; n++) {
      const result = await new Promise((resolve) =>
        exporter.export((signal === "traces" ? [] : nothing) as never, resolve),
      );
      expect(result).toMatchObject({ code: 1 });
    }
    expect(lines).toEqual([expect.stringContaining(`cannot deliver ${signal} to ${options.endpoint} (`)]);
  },
);

test("gRPC of metrics, from code alone", async () => {
  const { url, seen } = await grpcServer();
  const { metrics } = configured({}, { metrics: { protocol: "grpc", endpoint: url, headers: { "x-token": "code" } } });
  const exporter = createMetricExporter(metrics ?? {});
  onTestFinished(() => exporter.shutdown());
  const nothing = { resource: emptyResource(), scopeMetrics: [] };
  expect(await new Promise((resolve) => exporter.export(nothing, resolve))).toEqual({ code: 0 });
  expect(seen[0]).toMatchObject({ ":path": expect.stringContaining("MetricsService/Export"), "x-token": "code" });
});

// A certificate for tests alone, which signs itself: for `localhost`, until 2126.
const pem = (name: string): string => fileURLToPath(new URL(`fixtures/tls/${name}.pem`, import.meta.url));

test.each<[what: string, files: Record<string, string>, outcome: object]>([
  [
    "both sides show a certificate that the other trusts",
    { CERTIFICATE: pem("cert"), CLIENT_CERTIFICATE: pem("cert"), CLIENT_KEY: pem("key") },
    { code: 0 },
  ],
  ["a client without one is sent away", { CERTIFICATE: pem("cert") }, { code: 1 }],
  [
    "a collector that nobody vouches for gets nothing",
    {},
    { code: 1, error: new Error("DEPTH_ZERO_SELF_SIGNED_CERT") },
  ],
])("TLS: %s", async (_, files, outcome) => {
  const server = createTlsServer(
    {
      ca: readFileSync(pem("cert")),
      cert: readFileSync(pem("cert")),
      key: readFileSync(pem("key")),
      requestCert: true,
    },
    (request, response) => request.resume().on("end", () => response.end()),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const variables = Object.entries(files).map(([name, file]) => [`OTEL_EXPORTER_OTLP_${name}`, file] as const);
  const { traces } = configured({
    OTEL_EXPORTER_OTLP_ENDPOINT: `https://localhost:${(server.address() as AddressInfo).port}`,
    OTEL_EXPORTER_OTLP_TIMEOUT: "400",
    ...Object.fromEntries(variables),
  });
  const exporter = createTraceExporter(traces ?? {});
  expect(await new Promise((resolve) => exporter.export([], resolve))).toMatchObject(outcome);
});

test("OTEL_BSP_EXPORT_TIMEOUT bounds an export of the engine too", async () => {
  const receiver: OtlpReceiver = await startOtlpReceiver({ behaviour: "hang" });
  onTestFinished(() => receiver.close());
  const config = configured({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_EXPORT_TIMEOUT: "200" });
  const { provider } = createTracing(config, emptyResource());
  provider?.getTracer("app").startSpan("work").end();
  const began = performance.now();
  await provider?.forceFlush();
  expect(receiver.requests).toHaveLength(1);
  expect(performance.now() - began).toBeLessThan(2_000);
});
