import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, REGISTER, runProgram } from "./run-program.js";

const env = { OTEL_EXPORTER_PROMETHEUS_PORT: "0", TELLTALE_LOG: "silent" };

describe("what the preload loads", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "telltale-startup-"));
    writeFileSync(join(folder, "nothing.cjs"), "");
    writeFileSync(
      join(folder, "meter.cjs"),
      `const { metrics } = require(${JSON.stringify(createRequire(import.meta.url).resolve("@opentelemetry/api"))});
       metrics.getMeter("app").createCounter("orders").add(1);`,
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function filesOf(program: string, more: Record<string, string> = {}): Promise<string[]> {
    const nodeOptions = ["--require", fixture("startup/list-files.cjs"), "--require", REGISTER];
    const { stdout } = await runProgram(join(folder, program), { nodeOptions, env: { ...env, ...more } });
    return (JSON.parse(stdout) as string[]).filter((url) => !url.endsWith(program));
  }

  test("by default only itself and the OpenTelemetry API", async () => {
    const files = await filesOf("nothing.cjs");
    const own = files.filter((url) => /\/packages\/(telltale|core)\//.test(url));
    const api = files.filter((url) => url.includes("/node_modules/@opentelemetry/api/"));
    expect(files.filter((url) => !own.includes(url) && !api.includes(url))).toEqual([]);
    // register.cjs, its bundle, the library's, core's.
    expect(own.length).toBeLessThanOrEqual(4);
    expect(api.length).toBeLessThanOrEqual(60);
  });

  test("of the drivers' instrumentations those whose driver the program loads", async () => {
    const pg = JSON.stringify(createRequire(import.meta.url).resolve("pg"));
    writeFileSync(join(folder, "driver.cjs"), `require(${pg});`);
    const files = await filesOf("driver.cjs");
    const read = files.filter((url) => url.includes("/telltale/dist/instrumentations/"));
    expect(read.map((url) => basename(url))).toEqual(["pg.cjs"]);
  });

  test("and no part of Node.js for encrypted connections, compression or the heap", async () => {
    writeFileSync(join(folder, "modules.cjs"), "console.log(JSON.stringify(process.moduleLoadList));");
    const { stdout } = await runProgram(join(folder, "modules.cjs"), { nodeOptions: ["--require", REGISTER], env });
    const loaded = (JSON.parse(stdout) as string[]).filter((name) =>
      /^NativeModule (http|https|tls|http2|zlib|v8)$/.test(name),
    );
    expect(loaded).toEqual(["NativeModule http"]);
  });

  const loaded: [what: string, program: string, env: Record<string, string>, expected: string][] = [
    ["the SDK's metrics with the app's first meter", "meter.cjs", {}, "@opentelemetry/sdk-metrics"],
    ["the SDK's tracer with engine sdk", "nothing.cjs", { TELLTALE_ENGINE: "sdk" }, "@opentelemetry/sdk-trace"],
    ["b3 when it is named", "nothing.cjs", { OTEL_PROPAGATORS: "b3" }, "@opentelemetry/propagator-b3"],
    ["logs when they are asked for", "nothing.cjs", { OTEL_LOGS_EXPORTER: "console" }, "@opentelemetry/sdk-logs"],
    ["OTLP metrics when they are", "nothing.cjs", { OTEL_METRICS_EXPORTER: "otlp" }, "@opentelemetry/otlp-transformer"],
  ];
  test.each(loaded)("%s", async (_, program, more, expected) => {
    const files = await filesOf(program, more);
    expect(files.some((url) => url.includes(`/node_modules/${expected}/`))).toBe(true);
  });
});

// Of the process and not of the clock, and the least of several runs: the machine does other things. NodeSDK took 310 ms and 23 MB.
test("what the preload adds to the start of a service", { timeout: 60_000 }, async () => {
  const runs = { alone: [] as Start[], watched: [] as Start[] };
  const least = (which: Start[], of: keyof Start) => Math.min(...which.map((run) => run[of]));
  const added = (of: keyof Start) => least(runs.watched, of) - least(runs.alone, of);
  // Five of each; more of them where something else had the caches meanwhile.
  for (let n = 0; n < 5 || (n < 20 && added("cpuMs") >= 100); n++) {
    runs.alone.push(await start([]));
    runs.watched.push(await start(["--require", REGISTER]));
  }
  expect(added("cpuMs"), JSON.stringify(runs)).toBeLessThan(100);
  expect(added("rssMb"), JSON.stringify(runs)).toBeLessThan(15);
});

interface Start {
  cpuMs: number;
  rssMb: number;
}

async function start(nodeOptions: string[]): Promise<Start> {
  const { stdout } = await runProgram(fixture("startup/service.cjs"), { nodeOptions, env });
  return JSON.parse(stdout) as Start;
}
