import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { REGISTER, runProgram, telltaleLines } from "./run-program.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-wrong-"));
  writeFileSync(join(folder, "package.json"), '{"name":"app"}');
  writeFileSync(join(folder, "app.cjs"), 'setTimeout(() => console.log("app ran"), process.env.APP_MS ?? 300);');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(env: Record<string, string>, config?: string) {
  const file = join(folder, "telltale.config.json");
  if (config !== undefined) writeFileSync(file, config);
  try {
    const result = await runProgram(join(folder, "app.cjs"), {
      nodeOptions: ["--require", REGISTER],
      env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0", ...env },
    });
    expect(result).toMatchObject({ code: 0, stdout: "app ran\n" });
    return telltaleLines(result.stderr);
  } finally {
    rmSync(file, { force: true });
  }
}

describe("the preload says what is wrong, and the app runs", () => {
  const notStarted = "telltale: not started; the app runs without instrumentation";
  test.each<[string, Record<string, string>, string | undefined, RegExp]>([
    [
      "unknown option",
      {},
      '{"slowQuerry": 1}',
      /telltale\.config\.json: unknown option slowQuerry; known are .*slowQueryMs/,
    ],
    ["wrong type", {}, '{"metrics": {"port": "9464"}}', /metrics\.port must be a port from 0 to 65535, got "9464"/],
    ["unreadable file", {}, "{ nonsense", /telltale\.config\.json cannot be read: .*JSON/],
    [
      "bad endpoint",
      { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" },
      undefined,
      /OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http:\/\/localhost:4318, got "collector:4318"/,
    ],
    [
      "unknown exporter",
      { OTEL_METRICS_EXPORTER: "statsd" },
      undefined,
      /OTEL_METRICS_EXPORTER must be a list, each one of prometheus, otlp, console, none, got "statsd"/,
    ],
  ])("%s", async (_, env, config, expected) => {
    const lines = await run(env, config);
    expect(lines).toEqual([expect.stringMatching(expected), notStarted]);
  });

  test.each([
    [["-e", "console.log(process.argv[1])"], "b.js"],
    [["--test"], "none.js"],
  ])("an argument that stands where the script would: node %j", async (options, argument) => {
    const run = await runProgram(argument, {
      cwd: folder,
      nodeOptions: ["--require", REGISTER, ...options],
      env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0", OTEL_TRACES_EXPORTER: "none" },
    });
    expect(telltaleLines(run.stderr).filter((line) => !line.includes(" watches "))).toEqual([]);
  });

  test("a port in use: one line with who to look for; everything else is on", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    // Whoever has it may be another process of the same service, which is asked for most of a second first.
    const lines = await run({ OTEL_EXPORTER_PROMETHEUS_PORT: String(port), APP_MS: "2000" });
    taken.close();
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(`127.0.0.1:${port}`);
    // By /proc; where there is none, how to ask.
    expect(lines[0]).toContain(process.platform === "linux" ? `process ${process.pid} (` : `lsof -i :${port}`);
    expect(lines[0]).toContain("OTEL_EXPORTER_PROMETHEUS_PORT");
    expect(lines[1]).toContain(" watches all it knows ");
  });

  test.each([
    ["OTEL_NODE_DISABLED_INSTRUMENTATIONS", "pg", "all but pg"],
    ["OTEL_NODE_DISABLED_INSTRUMENTATIONS", "koa,pg", "all but koa, pg"],
    ["OTEL_NODE_ENABLED_INSTRUMENTATIONS", "pg,http", "http, pg"],
  ])("%s=%s: the line says %s", async (variable, value, watched) => {
    expect(await run({ [variable]: value })).toEqual([expect.stringContaining(` watches ${watched} · `)]);
  });

  test("silent is silent", async () => {
    expect(await run({ TELLTALE_LOG: "silent", OTEL_EXPORTER_OTLP_ENDPOINT: "nonsense" })).toEqual([]);
    expect(await run({ TELLTALE_LOG: "silent" })).toEqual([]);
  });

  test("switched off, it says so and leaves the app alone", async () => {
    expect(await run({ OTEL_SDK_DISABLED: "true" })).toEqual([
      expect.stringContaining("switched off by the configuration"),
    ]);
  });

  test("a package manager that inherits NODE_OPTIONS is left alone", async () => {
    const npm = join(folder, "npm");
    writeFileSync(npm, 'console.log("npm ran");');
    const result = await runProgram(npm, { nodeOptions: ["--require", REGISTER] });
    expect(result).toMatchObject({ code: 0, stdout: "npm ran\n", stderr: "" });
  });
});

test("an app that may read its own files only has no configuration, and is instrumented", async () => {
  const file = join(folder, "app.cjs");
  const readable = [join(REGISTER, "../../.."), file].map((path) => `--allow-fs-read=${path}`);
  const result = await runProgram(file, {
    nodeOptions: ["--permission", ...readable, "--require", REGISTER],
    env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0", TELLTALE_KNOWN_FINDINGS: "" },
  });
  expect(result).toMatchObject({ code: 0, stdout: "app ran\n" });
  expect(telltaleLines(result.stderr).at(-1)).toContain(" watches ");
});

// The machine's own Node may be the old one; the preload's own file is what must cope, so any that is too old will do.
test("an old Node is told what is needed", async () => {
  const old = join(folder, "old.cjs");
  writeFileSync(
    old,
    `Object.defineProperty(process.versions, "node", { value: "20.20.2" });
     Object.defineProperty(process, "version", { value: "v20.20.2" });
     require(${JSON.stringify(REGISTER)});
     console.log("app ran");`,
  );
  const result = await runProgram(old);
  expect(result).toMatchObject({ code: 0, stdout: "app ran\n" });
  expect(telltaleLines(result.stderr)).toEqual([
    "telltale: needs Node.js 22.15 or newer, found v20.20.2; the app runs without instrumentation",
  ]);
});

test("half an installation is one line, and the app runs", async () => {
  const alone = join(folder, "register.cjs");
  copyFileSync(REGISTER, alone);
  const result = await runProgram(join(folder, "app.cjs"), { nodeOptions: ["--require", alone] });
  expect(result).toMatchObject({ code: 0, stdout: "app ran\n" });
  expect(telltaleLines(result.stderr)).toEqual([
    expect.stringMatching(/^telltale: not started, the app runs without instrumentation: Cannot find module/),
  ]);
});
