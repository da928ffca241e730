import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawTrace, type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "@telltale/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { fixture, type ProgramRun, REGISTER, runProgram, telltaleLines } from "./run-program.js";
import { type RedisServer, startRedis, testNodes } from "./servers/index.js";

// Apps that have upstream instrumentations installed: each is a folder of its own, with links to what the repository has.

const nodes = await testNodes();
const root = fileURLToPath(new URL("../../", import.meta.url));
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An app with the programs of the fixture, and packages: where they are linked to, or the files that they are made of. */
function app(packages: Readonly<Record<string, string | Readonly<Record<string, string>>>>): string {
  const folder = mkdtempSync(join(tmpdir(), "telltale-upstream-"));
  folders.push(folder);
  cpSync(fixture("upstream"), folder, { recursive: true });
  for (const [name, content] of Object.entries({ "..": { "package.json": "{}" }, ...packages })) {
    const at = join(folder, "node_modules", name);
    mkdirSync(typeof content === "string" ? dirname(at) : at, { recursive: true });
    if (typeof content === "string") symlinkSync(join(root, content), at);
    else for (const [file, text] of Object.entries(content)) writeNew(join(at, file), text);
  }
  return folder;
}

function writeNew(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const news = ({ stderr }: ProgramRun): string[] => telltaleLines(stderr).filter((line) => !line.includes(" watches "));

const OPENTELEMETRY = "@opentelemetry/instrumentation";
/** Where npm has put what a workspace depends on: there, or at the root. */
function installedBy(workspace: "test" | ".old-majors", name: string): string {
  const own = `${workspace}/node_modules/${name}`;
  return existsSync(join(root, own)) ? own : `node_modules/${name}`;
}
const installed = {
  [`${OPENTELEMETRY}-graphql`]: installedBy("test", "upstream-graphql"),
  [`${OPENTELEMETRY}-kafkajs`]: installedBy("test", "upstream-kafkajs"),
  "@appsignal/opentelemetry-instrumentation-bullmq": installedBy(".old-majors", "upstream-bullmq"),
  "bullmq-otel": installedBy("test", "bullmq-otel"),
  kafkajs: installedBy("test", "kafkajs"),
};

describeWith(["redis-server"], "libraries with upstream instrumentations", () => {
  let redis: RedisServer;
  let receiver: OtlpReceiver;
  // Newer BullMQ has telemetry of its own, which the app turns on.
  const newest = { graphql: "16.15.0", bullmq: "6.7.0", from: "test" as const, env: { BULLMQ_OTEL: "1" } };
  const oldest = { graphql: "14.0.0", bullmq: "5.30.0", from: ".old-majors" as const, env: {} };
  const apps = [
    { ...newest, program: "app.cjs", name: "newest-cjs", node: process.execPath },
    { ...oldest, program: "app.cjs", name: "oldest-cjs", node: process.execPath },
    ...nodes.map(({ version, binary }) =>
      Object.assign({ program: "app.mjs", name: `newest-mjs-${version}`, node: binary }, newest),
    ),
  ];
  const runs = new Map<string, ProgramRun>();
  beforeAll(async () => {
    [redis, receiver] = await Promise.all([startRedis({ own: true }), startOtlpReceiver()]);
    await Promise.all(
      apps.map(async ({ name, node, program, from, env }) => {
        const folder = app({
          ...installed,
          graphql: installedBy(from, "graphql"),
          bullmq: installedBy(from, "bullmq"),
        });
        const run = await runProgram(join(folder, program), {
          node,
          nodeOptions: ["--require", REGISTER],
          env: {
            REDIS_PORT: String(redis.port),
            QUEUE: `mail-${name}`,
            OTEL_SERVICE_NAME: name,
            OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
            OTEL_EXPORTER_PROMETHEUS_PORT: "0",
            ...env,
          },
        });
        runs.set(name, run);
      }),
    );
  });
  afterAll(async () => {
    await Promise.all([receiver?.close(), redis?.stop()]);
  });

  describe.each(apps)("graphql $graphql and bullmq $bullmq, $name", ({ name, graphql, bullmq }) => {
    let run: ProgramRun;
    let spans: readonly ReceivedSpan[];
    beforeAll(() => {
      run = runs.get(name) as ProgramRun;
      spans = receiver.spans.filter(({ resource }) => resource["service.name"] === name);
    });
    const traceOf = (path: string): ReceivedSpan[] => {
      const served = spans.find(({ kind, attributes }) => kind === "server" && attributes["url.path"] === path);
      return spans.filter(({ traceId, kind }) => traceId === served?.traceId && kind !== "client");
    };

    test("answer as they do alone", () => {
      const lines = [
        '/user {"data":{"user":"Ann"}}',
        '/broken {"errors":[{"message":"no","locations":[{"line":1,"column":3}],"path":["broken"]}],"data":{"broken":null}}',
        '/queue "done 1"',
        "kafka function",
      ];
      expect({ code: run.code, stdout: run.stdout }, run.stderr).toEqual({
        code: 0,
        stdout: `${lines.join("\n")}\n`,
      });
    });

    test("a line says which instrumentations there are, and one for each what it came to", () => {
      expect(telltaleLines(run.stderr).filter((line) => line.includes(" watches "))).toEqual([
        expect.stringMatching(/ · when they load, through OpenTelemetry's: bullmq, graphql, kafkajs$/),
      ]);
      const through = "@appsignal/opentelemetry-instrumentation-bullmq 0.9.0";
      const heard = [
        bullmq === "5.30.0"
          ? `telltale: bullmq 5.30.0 is heard through ${through}`
          : `telltale: bullmq ${bullmq} is not heard through ${through}, which does not know this version`,
        `telltale: graphql ${graphql} is heard through ${OPENTELEMETRY}-graphql 0.72.0`,
        `telltale: kafkajs 2.2.4 is heard through ${OPENTELEMETRY}-kafkajs 0.33.0`,
      ];
      expect(news(run).toSorted()).toEqual(heard);
    });

    test("a query is the steps that GraphQL has, once each, below its request", () => {
      const label = ({ name }: { name: string }) => name;
      const query = (field: string) =>
        `GET\n  graphql.parse\n  graphql.validate\n  query\n    graphql.resolve ${field}`;
      expect(drawTrace(traceOf("/user"), label)).toBe(query("user"));
      expect(drawTrace(traceOf("/broken"), label)).toBe(query("broken"));
      const failed = traceOf("/broken").filter(({ status }) => status.code === "error");
      expect(failed.map(({ name }) => name)).toEqual(["graphql.resolve broken"]);
    });

    test("a job is put into the queue once, below its request, and worked on once", () => {
      const put = spans.filter(({ kind }) => kind === "producer");
      const served = traceOf("/queue").find(({ kind }) => kind === "server");
      expect(put).toEqual([expect.objectContaining({ parentSpanId: served?.spanId })]);
      const [{ spanId = "", traceId = "" } = {}] = put;
      const commands = spans.filter(({ parentSpanId }) => parentSpanId === spanId);
      expect(commands.filter(({ scope }) => scope === "telltale").map(({ name }) => name)).toEqual(["EVALSHA"]);
      const work = spans.filter(
        (span) =>
          span.kind === "consumer" &&
          (span.traceId === traceId || span.links.some((link) => link.spanId === spanId)) &&
          /^(process|Worker.run) /.test(span.name),
      );
      expect(work).toHaveLength(1);
    });
  });
});

/** Stands for a library and its upstream instrumentation, which is made on OpenTelemetry's own base class. */
function fake(name: string, library: Record<string, string>, patch: string, rest: Record<string, string> = {}) {
  return {
    [name]: library,
    [`${OPENTELEMETRY}-${name}`]: {
      "package.json": JSON.stringify({ name: `${OPENTELEMETRY}-${name}`, version: "0.1.0" }),
      "index.js": `
        const { InstrumentationBase, InstrumentationNodeModuleDefinition } = require("@opentelemetry/instrumentation");
        exports.FakeInstrumentation = class extends InstrumentationBase {
          constructor() { super("${OPENTELEMETRY}-${name}", "0.1.0"); }
          init() { return new InstrumentationNodeModuleDefinition("${name}", [">=2 <3"], (exports) => { ${patch} }); }
        };`,
      ...rest,
    },
  };
}

const manifest = (name: string, rest: object = {}) => JSON.stringify({ name, version: "2.0.0", ...rest });

test("what cannot be used is said in a line, and nothing is loaded before it is needed", async () => {
  const wrap = `this._wrap(exports.Thing.prototype, "call", (original) => function () { return "heard " + original.call(this); });`;
  const thing = "class Thing { call() { return 1; } }";
  const folder = app({
    "@opentelemetry/api": "node_modules/@opentelemetry/api",
    "@opentelemetry/instrumentation": "node_modules/@opentelemetry/instrumentation",
    ...fake("connect", { "package.json": manifest("connect"), "index.js": "" }, "", {
      "index.js": "throw new Error('half');",
    }),
    ...fake(
      "dataloader",
      { "package.json": manifest("dataloader"), "index.js": "module.exports = () => 1;" },
      "return () => 'heard ' + exports();",
    ),
    ...fake(
      "lru-memoizer",
      {
        "package.json": manifest("lru-memoizer", { type: "module", exports: "./index.js" }),
        "index.js": `export ${thing}`,
      },
      wrap,
    ),
    ...fake("mysql", { "package.json": manifest("mysql"), "index.js": "" }, "", {
      "node_modules/@opentelemetry/api/package.json": JSON.stringify({ name: "@opentelemetry/api", version: "2.0.0" }),
      "node_modules/@opentelemetry/api/index.js": "",
    }),
    ...fake(
      "openai",
      {
        "package.json": manifest("openai", { type: "module", exports: "./index.js" }),
        "index.js": "export const call = () => 1;",
      },
      `this._wrap(exports, "call", () => () => 2);`,
    ),
    ...fake("restify", { "package.json": manifest("restify"), "index.js": `exports.Thing = ${thing}` }, wrap),
  });
  writeFileSync(
    join(folder, "all.mjs"),
    `import { createRequire } from "node:module";
    const require = createRequire(import.meta.url);
    const loaded = () => Object.keys(require.cache).some((file) => file.includes("instrumentation"));
    const before = loaded();
    for (const name of ["connect", "mysql"]) require(name);
    const said = [(await import("dataloader")).default(), require("dataloader")()];
    const { Thing } = await import("lru-memoizer");
    said.push(new Thing().call(), (await import("openai")).call(), new (require("restify").Thing)().call());
    console.log(JSON.stringify({ before, said }));`,
  );
  const run = await runProgram(join(folder, "all.mjs"), {
    nodeOptions: ["--require", REGISTER],
    env: {
      OTEL_TRACES_EXPORTER: "none",
      OTEL_EXPORTER_PROMETHEUS_PORT: "0",
      OTEL_NODE_DISABLED_INSTRUMENTATIONS: "restify",
    },
  });
  expect(JSON.parse(run.stdout || run.stderr)).toEqual({
    before: false,
    said: ["heard 1", "heard 1", "heard 1", 1, 1],
  });
  const own = (name: string) => `${OPENTELEMETRY}-${name} 0.1.0`;
  const api = "@opentelemetry/api";
  expect(news(run)).toEqual([
    `telltale: ${own("connect")} is not used: half`,
    `telltale: connect 2.0.0 is not heard through ${own("connect")}: half`,
    expect.stringMatching(
      `^telltale: ${own("mysql")} is not used: it uses ${api} 2.0.0, which knows nothing of Telltale's `,
    ),
    expect.stringMatching(`^telltale: mysql 2.0.0 is not heard through ${own("mysql")}: it uses ${api} 2.0.0`),
    `telltale: dataloader 2.0.0 is heard through ${own("dataloader")}`,
    `telltale: lru-memoizer 2.0.0 is heard through ${own("lru-memoizer")}`,
    expect.stringContaining(
      `telltale: openai 2.0.0 is not heard through ${own("openai")} where it is loaded as an ES module: `,
    ),
  ]);
  expect(run.stderr).toMatch(/OpenTelemetry's: connect, dataloader, lru-memoizer, mysql, openai\n/);
});
