import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { handOver } from "../src/bundler/hand-over.js";
import { readEnvironment } from "../src/config/environment.js";
import { findAppFolder } from "../src/config/file.js";
import { ConfigError, type TelltaleOptions } from "../src/config/options.js";
import { resolveConfig } from "../src/config/resolve.js";
import { packageOf } from "../src/upstream/find.js";
import { UPSTREAM_NAMES } from "../src/upstream/known.js";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function app(files: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "telltale-config-"));
  folders.push(folder);
  writeFileSync(join(folder, "package.json"), '{"name":"my-app"}');
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function resolve(folder: string, env: Record<string, string> = {}, code: TelltaleOptions = {}) {
  return resolveConfig(code, env, join(folder, "app.js"), "/");
}

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test("every type that the options are made of is exported", () => {
  const read = (file: string) => readFileSync(new URL(`../src/${file}`, import.meta.url), "utf8");
  const types = read("config/options.ts").matchAll(/^export (?:interface|type|class) (\w+)/gm);
  const exported = read("index.ts");
  const missing = Array.from(types, ([, name = ""]) => name).filter(
    (name) => !new RegExp(`\\b${name}\\b`).test(exported),
  );
  // What only the environment can give.
  expect(missing).toEqual(["SignalOptions", "SourceOptions"]);
});

test("a package.json is read wherever it is looked for as Node reads it, and may say anything", () => {
  const folder = join(app(), "node_modules", "pg");
  mkdirSync(join(folder, "lib"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '\uFEFF{"name":"pg","version":"8.1.0","main":"lib/a.js","scripts":1}');
  writeFileSync(join(folder, "lib", "package.json"), "null");
  const file = join(folder, "lib", "a.js");
  expect(packageOf(file, "pg")).toEqual({ folder, version: "8.1.0" });
  expect(handOver("", file)).toContain("bundle:pg@8.1.0");
});

test("the app's folder is a whole path, also where the first word of the command line is no script (`node -e code word`)", () => {
  const folder = app();
  expect(findAppFolder("word", folder)).toBe(folder);
  expect(findAppFolder(join(folder, "src/app.js"), "/")).toBe(folder);
});

describe("precedence: code, environment, file, default", () => {
  const file = '{"slowQueryMs": 1, "serviceName": "from-file", "traces": {"endpoint": "http://file:1"}}';

  test("a byte order mark is skipped, as Node does", () => {
    const folder = app({
      "package.json": '\uFEFF{"name":"marked"}',
      "telltale.config.json": '\uFEFF{"slowQueryMs":7}',
    });
    expect(resolve(folder)).toMatchObject({ packageName: "marked", slowQueryMs: 7 });
  });

  test("nothing set leaves the defaults to the parts, and takes the package's name", () => {
    expect(resolve(app())).toEqual({ packageName: "my-app" });
  });

  test("the file alone", () => {
    expect(resolve(app({ "telltale.config.json": file }))).toMatchObject({
      slowQueryMs: 1,
      serviceName: "from-file",
      traces: { url: "http://file:1/v1/traces" },
    });
  });

  test("the environment beats the file", () => {
    const env = {
      TELLTALE_SLOW_QUERY_MS: "2",
      OTEL_SERVICE_NAME: "from-env",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://env:1/",
    };
    expect(resolve(app({ "telltale.config.json": file }), env)).toMatchObject({
      slowQueryMs: 2,
      serviceName: "from-env",
      traces: { url: "http://env:1/v1/traces" },
      metrics: { url: "http://env:1/v1/metrics" },
    });
  });

  test("code beats both, even the whole URL of one signal", () => {
    const env = { TELLTALE_SLOW_QUERY_MS: "2", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://env:1/custom" };
    const code = { slowQueryMs: 3, traces: { endpoint: "http://code:1" } };
    expect(resolve(app({ "telltale.config.json": file }), env, code)).toMatchObject({
      slowQueryMs: 3,
      traces: { url: "http://code:1/v1/traces" },
    });
  });

  test.each([
    ["telltale.config.json", '{"slowQueryMs": 7}'],
    ["telltale.config.js", "module.exports = { slowQueryMs: 7 };"],
    ["telltale.config.mjs", "export default { slowQueryMs: 7 };"],
  ])("%s is read", (name, text) => {
    expect(resolve(app({ [name]: text })).slowQueryMs).toBe(7);
  });
});

function every(on: boolean) {
  const names = [
    "http",
    "express",
    "fastify",
    "koa",
    "hapi",
    "hono",
    "next",
    "pg",
    "mysql2",
    "postgres",
    "mariadb",
    "sqlite",
    "better-sqlite3",
    "tedious",
    "mongodb",
    "ioredis",
    "redis",
    "memcached",
    "memjs",
    "keyv",
    "node-cache",
    "tarn",
    "generic-pool",
    "sequelize-pool",
    ...UPSTREAM_NAMES,
  ];
  return Object.fromEntries(names.map((name) => [name, on]));
}

describe("the environment", () => {
  test.each<[Record<string, string>, object]>([
    [{ OTEL_SDK_DISABLED: "true" }, { enabled: false }],
    [{ OTEL_SDK_DISABLED: "1" }, {}],
    [{ OTEL_TRACES_EXPORTER: "otlp, console" }, { traces: { exporters: ["otlp", "console"] } }],
    [{ TELLTALE_ENGINE: "sdk" }, { engine: "sdk" }],
    [{ TELLTALE_LOG_CORRELATION: "pino, Console" }, { logCorrelation: ["pino", "console"] }],
    [{ OTEL_METRICS_EXPORTER: "none" }, { metrics: { exporters: ["none"] } }],
    [
      { OTEL_EXPORTER_PROMETHEUS_PORT: "0", OTEL_EXPORTER_PROMETHEUS_HOST: "::1" },
      { metrics: { port: 0, host: "::1" } },
    ],
    [
      {
        TELLTALE_METRICS_NAMING: "upstream",
        TELLTALE_METRICS_SCOPE_LABELS: "false",
        TELLTALE_METRICS_RESOURCE_LABELS: "service.name, k8s.*",
        TELLTALE_METRICS_MAX_PAGE_BYTES: "1000000",
      },
      {
        metrics: {
          naming: "upstream",
          scopeLabels: false,
          resourceLabels: ["service.name", "k8s.*"],
          maxPageBytes: 1_000_000,
        },
      },
    ],
    [{ TELLTALE_METRICS_MERGE: "false" }, { metrics: { merge: false } }],
    [{ OTEL_SERVICE_NAME: "" }, {}],
    [
      { OTEL_RESOURCE_ATTRIBUTES: "service.name=a%20b,team=x" },
      { serviceName: "a b", resourceAttributes: { "service.name": "a b", team: "x" } },
    ],
    [
      { OTEL_RESOURCE_ATTRIBUTES: "service.name=weaker", OTEL_SERVICE_NAME: "stronger" },
      { serviceName: "stronger", resourceAttributes: { "service.name": "weaker" } },
    ],
    [
      { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" },
      { traces: { sampler: "traceidratio", samplerArg: 0.25 } },
    ],
    [
      {
        TELLTALE_TRACES_KEEP: "error, Slow",
        TELLTALE_TRACES_KEEP_SLOW_MS: "250",
        TELLTALE_TRACES_KEEP_PER_SECOND: "0.5",
      },
      { traces: { keep: ["error", "slow"], keepSlowMs: 250, keepPerSecond: 0.5 } },
    ],
    [
      { OTEL_EXPORTER_OTLP_HEADERS: "a=1,b=2", OTEL_EXPORTER_OTLP_TRACES_HEADERS: "b=3" },
      { traces: { headers: { a: "1", b: "3" } }, metrics: { headers: { a: "1", b: "2" } } },
    ],
    [{ OTEL_NODE_DISABLED_INSTRUMENTATIONS: "pg" }, { instrumentations: { ...every(true), pg: false } }],
    [{ OTEL_NODE_ENABLED_INSTRUMENTATIONS: "", OTEL_NODE_DISABLED_INSTRUMENTATIONS: " " }, {}],
    [
      { OTEL_TRACES_EXPORTER: "OTLP", OTEL_TRACES_SAMPLER: "Always_On", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "gRPC" },
      { traces: { exporters: ["otlp"], sampler: "always_on", protocol: "grpc" } },
    ],
    [
      {
        OTEL_EXPORTER_OTLP_CERTIFICATE: import.meta.filename,
        OTEL_EXPORTER_OTLP_CLIENT_KEY: "",
        OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: process.execPath,
      },
      { traces: { caFile: process.execPath }, metrics: { caFile: import.meta.filename } },
    ],
    [
      { TELLTALE_EXPLAIN: "true", TELLTALE_SQLCOMMENTER: "1" },
      { explain: true, sqlcommenter: true },
    ],
    [{ OTEL_NODE_ENABLED_INSTRUMENTATIONS: "http" }, { instrumentations: { ...every(false), http: true } }],
  ])("%o", (env, options) => {
    expect(readEnvironment(env)).toEqual({ options, problems: [] });
  });
});

describe("wrong input is one clear line per problem", () => {
  test.each<
    [string, Record<string, string>, Record<string, string>, TelltaleOptions | Record<string, unknown>, RegExp]
  >([
    [
      "unknown key",
      { "telltale.config.json": '{"slowQuerryMs": 5}' },
      {},
      {},
      /telltale\.config\.json: unknown option slowQuerryMs; known are .*slowQueryMs/,
    ],
    [
      "unknown nested key",
      { "telltale.config.json": '{"traces": {"url": "x"}}' },
      {},
      {},
      /unknown option traces\.url/,
    ],
    ["prototype key", { "telltale.config.json": '{"toString": 1}' }, {}, {}, /unknown option toString/],
    [
      "wrong type",
      { "telltale.config.json": '{"slowQueryMs": "fast"}' },
      {},
      {},
      /slowQueryMs must be a number of milliseconds, 0 or more, got "fast"/,
    ],
    ["wrong type in code", {}, {}, { findingsLog: "yes" }, /start\(\): findingsLog must be true or false, got "yes"/],
    [
      "wrong flag",
      {},
      { TELLTALE_EXPLAIN: "sometimes" },
      {},
      /TELLTALE_EXPLAIN must be true or false, got "sometimes"/,
    ],
    ["unreadable file", { "telltale.config.json": "{" }, {}, {}, /telltale\.config\.json cannot be read: /],
    [
      "throwing file",
      { "telltale.config.js": 'throw new Error("boom")' },
      {},
      {},
      /telltale\.config\.js cannot be read: boom/,
    ],
    [
      "file that throws no error",
      { "telltale.config.js": "throw Object.create(null)" },
      {},
      {},
      /telltale\.config\.js cannot be read: it throws what is no error/,
    ],
    [
      "two files",
      { "telltale.config.json": "{}", "telltale.config.js": "" },
      {},
      {},
      /found telltale\.config\.json and telltale\.config\.js; keep one/,
    ],
    ["file is a list", { "telltale.config.json": "[]" }, {}, {}, /the configuration must be an object, got \[\]/],
    [
      "bad URL",
      {},
      { OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" },
      {},
      /OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as .*, got "localhost:4318"/,
    ],
    [
      "unknown exporter",
      {},
      { OTEL_TRACES_EXPORTER: "jaeger" },
      {},
      /OTEL_TRACES_EXPORTER must be a list, each one of otlp, console, zipkin, none, got "jaeger"/,
    ],
    [
      "unknown naming",
      {},
      { TELLTALE_METRICS_NAMING: "camelCase" },
      {},
      /TELLTALE_METRICS_NAMING must be one of UnderscoreEscapingWithSuffixes, .*upstream, got "camelCase"/,
    ],
    [
      "bad port",
      {},
      { OTEL_EXPORTER_PROMETHEUS_PORT: "http" },
      {},
      /OTEL_EXPORTER_PROMETHEUS_PORT must be a port from 0 to 65535, got "http"/,
    ],
    [
      "bad rule for a gauge",
      {},
      {},
      { metrics: { gauges: { depth: "avg" } } },
      /metrics.gauges must be an object, each value one of sum, min, max, mean, each, got an object/,
    ],
    ["bad sampler", {}, { OTEL_TRACES_SAMPLER: "half" }, {}, /OTEL_TRACES_SAMPLER must be one of always_on/],
    ["bad log level", {}, { TELLTALE_LOG: "loud" }, {}, /TELLTALE_LOG must be one of silent, info, debug, got "loud"/],
    ["bad engine", {}, { TELLTALE_ENGINE: "v8" }, {}, /TELLTALE_ENGINE must be one of telltale, sdk, got "v8"/],
    [
      "a certificate that is not there",
      {},
      { OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: "/nowhere/ca.pem" },
      {},
      /OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE must be a file that can be read, got "\/nowhere\/ca\.pem"/,
    ],
    [
      "no time to deliver",
      {},
      { OTEL_EXPORTER_OTLP_TIMEOUT: "0" },
      {},
      /OTEL_EXPORTER_OTLP_TIMEOUT must be a number of milliseconds from 1 to 2147483647, got "0"/,
    ],
    [
      "longer than a timer can wait",
      {},
      { OTEL_METRIC_EXPORT_INTERVAL: "9999999999" },
      {},
      /OTEL_METRIC_EXPORT_INTERVAL must be a number of milliseconds from 1 to 2147483647, got "9999999999"/,
    ],
    ["bad protocol", {}, { OTEL_EXPORTER_OTLP_PROTOCOL: "http" }, {}, /OTEL_EXPORTER_OTLP_PROTOCOL must be one of/],
  ])("%s", (_, files, env, code, expected) => {
    const problems = problemsOf(() => resolve(app(files), env, code as TelltaleOptions));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(expected);
  });

  test("all problems come at once", () => {
    const folder = app({ "telltale.config.json": '{"a": 1, "b": 2}' });
    expect(problemsOf(() => resolve(folder, { TELLTALE_LOG: "x" }))).toHaveLength(3);
  });

  test("headers that are no pairs are a problem, and not left out", () => {
    const problems = (headers: string) =>
      problemsOf(() => resolve(app(), { OTEL_EXPORTER_OTLP_TRACES_HEADERS: headers }));
    expect(problems("a=1,secret")).toEqual([
      "OTEL_EXPORTER_OTLP_TRACES_HEADERS must be name=value, more of them after commas",
    ]);
    expect(resolve(app(), { OTEL_EXPORTER_OTLP_HEADERS: " a=1, b=x=y ," }).traces?.headers).toEqual({
      a: "1",
      b: "x=y",
    });
  });

  test("credentials and headers are never shown", () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "ftp://user:secret@host", OTEL_EXPORTER_OTLP_HEADERS: "=secret" };
    expect(problemsOf(() => resolve(app(), env)).join("\n")).not.toContain("secret");
  });
});
