import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { startOtlpReceiver } from "@telltale/testkit";
import { expect, test } from "vitest";
import type { TelltaleOptions } from "../src/config/options.js";
import { start } from "../src/start.js";

// A program, and what of it has arrived at its collector when it has ended. Nothing else keeps it alive.

interface Run {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  /** What Telltale says on stderr, but for its first line. */
  readonly said: readonly string[];
  readonly ms: number;
}

function run(how: string, url: string, env: Record<string, string>): Promise<Run> {
  const program = fileURLToPath(new URL("fixtures/work-and-end.mjs", import.meta.url));
  const exporters = { OTEL_TRACES_EXPORTER: "otlp", OTEL_METRICS_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_ENDPOINT: url };
  const began = performance.now();
  return new Promise((resolve) => {
    execFile(process.execPath, [program, how], { env: { ...exporters, ...env } }, (error, stdout, stderr) => {
      const said = stderr.split("\n").filter((line) => line !== "" && !line.includes(" watches "));
      resolve({ code: error === null ? 0 : (error.signal ?? error.code), stdout, said, ms: performance.now() - began });
    });
  });
}

test.concurrent.for<[how: string, env: Record<string, string>, code: number | string]>([
  ["shutdown", {}, 0],
  ["shutdown", { TELLTALE_ENGINE: "sdk" }, 0],
  ["shutdown", { OTEL_METRICS_EXPORTER: "none" }, 0],
  ["shutdown", { OTEL_METRICS_EXPORTER: "none", TELLTALE_ENGINE: "sdk" }, 0],
  ["forceFlush", { OTEL_METRICS_EXPORTER: "none", TELLTALE_ENGINE: "sdk" }, 0],
  ["forceFlush", {}, 0],
  ["by itself", {}, 0],
  ["by itself", { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta" }, 0],
  ["by itself", { OTEL_TRACES_EXPORTER: "none" }, 0],
  ["SIGTERM", {}, "SIGTERM"],
])("%s, %o: all has arrived, and the program ended well", async ([how, env, code], { expect, onTestFinished }) => {
  // It answers late, so that whoever does not wait is gone by then.
  const { spans, points, url, close } = await startOtlpReceiver({ behaviour: "slow" });
  onTestFinished(close);
  const ended = await run(how, url, env);
  expect(ended).toMatchObject({ code, stdout: "the end\n", said: [] });
  const orders = () => new Set(points.filter(({ metric }) => metric === "orders").map(({ value }) => value));
  const wait = { timeout: 5_000 };
  await expect
    .poll(() => spans.map(({ name }) => name), wait)
    .toEqual(env["OTEL_TRACES_EXPORTER"] === "none" ? [] : ["work"]);
  await expect.poll(orders, wait).toEqual(new Set(env["OTEL_METRICS_EXPORTER"] === "none" ? [] : [3]));
});

test.for<[env: Record<string, string>, lines: number]>([
  [{}, 1],
  [{ TELLTALE_ENGINE: "sdk" }, 1],
  [{ TELLTALE_LOG: "silent" }, 0],
  [{ OTEL_TRACES_SAMPLER: "always_off" }, 0],
])("process.exit() loses spans, which is told in a line: %o", async ([env, lines], { onTestFinished }) => {
  const { spans, url, close } = await startOtlpReceiver();
  onTestFinished(close);
  const ended = await run("process.exit", url, env);
  expect(ended).toMatchObject({ code: 5, stdout: "the end\n" });
  expect(ended.said).toEqual(
    Array(lines).fill(expect.stringMatching(/^telltale: a span is lost, .*process\.exitCode/)),
  );
  expect(spans).toEqual([]);
});

test.each(["refuses", "never answers"])("a program is not held for metrics of a collector that %s", async (kind) => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  if (kind === "refuses") server.close();
  const ended = await run("by itself", url, { OTEL_TRACES_EXPORTER: "none" });
  server.close();
  server.closeAllConnections();
  expect(ended).toMatchObject({ code: 0, stdout: "the end\n" });
  expect(ended.ms).toBeLessThan(2_500);
});

test("a part that cannot be enabled leaves nothing behind, and Telltale can start without it", async () => {
  const calls: string[] = [];
  const foreign = {
    enable() {
      throw new Error("not today");
    },
    disable: () => calls.push("disable"),
    setTracerProvider() {},
    setMeterProvider() {},
  };
  const emit = process.emit;
  const configured: TelltaleOptions = {
    log: "silent",
    traces: { exporters: ["none"] },
    metrics: { exporters: ["prometheus"], port: 0 },
  };
  expect(() => start({ ...configured, sdk: { instrumentations: [foreign] } })).toThrow("not today");
  expect(calls).toEqual(["disable"]);
  expect(process.emit).toBe(emit);
  const telltale = start(configured);
  expect(await telltale.metricsUrl()).toMatch(/^http/);
  await telltale.shutdown();
});

test("a shutdown that fails has restored everything, and a second one is the first", async () => {
  const processor = {
    onStart() {},
    onEnd() {},
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.reject(new Error("cannot")),
  };
  const configured: TelltaleOptions = {
    log: "silent",
    traces: { exporters: ["none"] },
    metrics: { exporters: ["none"] },
  };
  const first = start({ ...configured, sdk: { spanProcessors: [processor] } });
  await expect(first.shutdown()).rejects.toThrow("cannot");
  const second = start(configured);
  expect(second).not.toBe(first);
  await expect(first.shutdown()).rejects.toThrow("cannot");
  expect(start(configured)).toBe(second);
  await second.shutdown();
});
