import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "@telltale/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { REGISTER, runProgram } from "./run-program.js";

interface Check {
  readonly subject: string;
  readonly status: "ok" | "note" | "warning" | "problem";
  readonly text: string;
  readonly cure?: string;
}
interface Diagnosis {
  readonly node: string;
  readonly app: Readonly<Record<string, string>>;
  readonly ok: boolean;
  readonly checks: readonly Check[];
  readonly libraries: readonly { name: string; version: string; state: string }[];
}

const CLI = fileURLToPath(new URL("../../packages/telltale/telltale.cjs", import.meta.url));
const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
const SECRET = "s3cr3t-of-the-test";
const OFF = { OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_PROMETHEUS_PORT: "0" };

let folder = "";
const servers: Server[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-doctor-"));
  write("package.json", { name: "app", version: "1.2.3" });
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

function write(path: string, content: string | object): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
}

/** A package of which only the manifest is ever read. */
function install(name: string, version: string, more: object = {}, inside = ""): void {
  write(join(inside, "node_modules", name, "package.json"), { name, version, ...more });
}

async function listen(status: number | undefined, asked: IncomingMessage[] = []): Promise<string> {
  const server = createServer((request, response) => {
    asked.push(request);
    if (status !== undefined) response.writeHead(status).end();
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const run = (args: readonly string[], env: Record<string, string> = OFF) =>
  runProgram(CLI, { args: ["doctor", ...args], cwd: folder, env, timeoutMs: 15_000 });

async function diagnose(args: readonly string[], env?: Record<string, string>): Promise<Diagnosis> {
  const { code, stdout, stderr } = await run(["--json", ...args], env);
  expect(stderr).toBe("");
  expect(stdout).not.toContain(SECRET);
  const diagnosis = JSON.parse(stdout) as Diagnosis;
  expect(code).toBe(diagnosis.ok ? 0 : 1);
  expect(diagnosis.ok).toBe(diagnosis.checks.every(({ status }) => status !== "problem"));
  for (const { status, cure, text } of diagnosis.checks) {
    if (status === "problem" || status === "warning") expect(cure ?? text, text).toMatch(/\w/);
  }
  return diagnosis;
}

const of = ({ checks }: Diagnosis, subject: string) => checks.filter((check) => check.subject === subject);
const problems = ({ checks }: Diagnosis) => checks.filter(({ status }) => status === "problem");

test("an app of which all is seen: what it has, and exit code 0; it is not run", async () => {
  write("package.json", {
    name: "app",
    version: "1.2.3",
    type: "module",
    scripts: { start: "node --import telltale/register src/server.js" },
    dependencies: { orm: "1", pg: "8" },
  });
  write(
    "src/server.js",
    'import { a } from "./a.js";\nimport "node:fs";\nimport { writeFileSync } from "fs";\nwriteFileSync("ran", "");',
  );
  write(
    "src/a.ts",
    'export const a: number = 1;\nimport type { X } from "kafkajs";\n// import "mongodb";\nawait import("express");',
  );
  for (const [name, version, more] of [
    ["orm", "1.0.0", { dependencies: { ioredis: "5" } }],
    ["pg", "8.11.0", {}],
    ["express", "5.0.0", {}],
    ["telltale", VERSION, {}],
    ["mongodb", "6.0.0", {}],
    ["kafkajs", "2.0.0", {}],
  ] as const) {
    install(name, version, more);
  }
  install("ioredis", "5.1.0", {}, "node_modules/orm");
  const diagnosis = await diagnose([]);
  expect(problems(diagnosis)).toEqual([]);
  expect(diagnosis.app).toMatchObject({
    name: "app",
    version: "1.2.3",
    entry: join("src", "server.js"),
    modules: "ES modules",
  });
  expect(of(diagnosis, "app")[0]?.text).toContain("2 files");
  expect(diagnosis.libraries.map(({ name, version, state }) => `${name} ${version} ${state}`)).toEqual([
    "express 5.0.0 heard",
    "ioredis 5.1.0 heard",
    "pg 8.11.0 heard",
  ]);
  expect(existsSync(join(folder, "ran"))).toBe(false);

  const { code, stdout } = await run([]);
  expect(code).toBe(0);
  expect(stdout).toContain("\napp 1.2.3 · src/server.js\n");
  expect(stdout).toContain("express 5.0.0, ioredis 5.1.0, pg 8.11.0");
  expect(stdout).toMatch(/\nNothing is in the way\.\n\n$/);
  for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});

test("versions that are not supported, twice installed, and what is not heard at all", async () => {
  write("package.json", { name: "app", dependencies: { graphql: "16", ioredis: "4", orm: "1", kafkajs: "2" } });
  install("graphql", "16.0.0");
  install("@opentelemetry/instrumentation-graphql", "0.72.0");
  install("ioredis", "4.28.5");
  install("kafkajs", "2.2.4");
  install("orm", "1.0.0", { dependencies: { ioredis: "6" } });
  install("ioredis", "6.0.0", {}, "node_modules/orm");
  write("app.js", 'require("ioredis");');
  const diagnosis = await diagnose(["app.js"]);
  expect(problems(diagnosis)).toEqual([
    {
      subject: "ioredis",
      status: "problem",
      text: expect.stringMatching(/^4\.28\.5 .*5\.x to 6\.x$/),
      cure: expect.stringContaining("ioredis 6"),
    },
  ]);
  expect(of(diagnosis, "heard")[0]?.text).toContain("ioredis 6.0.0");
  expect(of(diagnosis, "heard")[0]?.text).toContain(
    "graphql 16.0.0 (through @opentelemetry/instrumentation-graphql 0.72.0)",
  );
  expect(of(diagnosis, "not heard")).toMatchObject([
    {
      status: "note",
      text: expect.stringMatching(/^kafkajs 2\.2\.4: /),
      cure: expect.stringContaining("npm install @opentelemetry/instrumentation-kafkajs"),
    },
  ]);
});

test("what an instrumentation of OpenTelemetry's does not know is not heard through it", async () => {
  const versions = { bullmq: "6.7.0", graphql: "17.0.0", kafkajs: "2.2.4" };
  write("package.json", { name: "app", dependencies: versions });
  for (const [name, version] of Object.entries(versions)) install(name, version);
  install("@opentelemetry/instrumentation-graphql", "0.72.0");
  const diagnosis = await diagnose([]);
  expect(of(diagnosis, "heard")[0]?.text).toBe("node:http, fetch");
  expect(of(diagnosis, "not heard").map(({ text, cure }) => `${text} -> ${cure}`)).toEqual([
    expect.stringMatching(/^kafkajs 2\.2\.4: .* -> npm install @opentelemetry\/instrumentation-kafkajs$/),
    expect.stringMatching(/^bullmq 6\.7\.0, graphql 17\.0\.0: (?!.*npm install).* bullmq-otel$/),
  ]);
});

test("what is heard by its router, its adapter or its driver is not named as unheard", async () => {
  const ofPrisma = async (version: string) => {
    install("@prisma/client", version);
    return of(await diagnose([]), "not heard").map(({ text }) => text.split(":", 1)[0]);
  };
  install("koa", "3.0.0");
  install("@nestjs/core", "11.0.0");
  write("package.json", { name: "app", dependencies: { koa: "3", "@nestjs/core": "11", "@prisma/client": "*" } });
  expect(await ofPrisma("7.0.0")).toEqual([]);
  expect(await ofPrisma("6.0.0")).toEqual(["@prisma/client 6.0.0"]);
});

test("a library that the configuration switches off", async () => {
  write("telltale.config.json", { instrumentations: { pg: false } });
  write("package.json", { name: "app", dependencies: { pg: "8" } });
  install("pg", "8.1.0");
  expect(of(await diagnose([]), "pg")).toMatchObject([{ status: "note" }]);
  expect(of(await diagnose([]), "heard")[0]?.text).toBe("node:http, fetch");
});

test("HTTP that the configuration switches off", async () => {
  write("telltale.config.json", { instrumentations: { http: false } });
  write("package.json", { name: "app", dependencies: { pg: "8" } });
  install("pg", "8.1.0");
  expect(of(await diagnose([]), "heard")[0]?.text).toBe("pg 8.1.0");
});

test("a driver that is part of the app's file is not heard, installed or not", async () => {
  write("package.json", { name: "app", dependencies: { ioredis: "5", pg: "8" } });
  install("ioredis", "5.1.0");
  install("pg", "8.1.0");
  write(
    "dist/server.js",
    `var x = "Client has encountered a connection error and is not queryable";${" ".repeat(30_000)}`,
  );
  const diagnosis = await diagnose(["dist/server.js"]);
  const [bundled] = problems(diagnosis);
  expect(bundled).toMatchObject({
    subject: "bundled",
    text: expect.stringContaining(`pg is part of ${join("dist", "server.js")}`),
  });
  expect(bundled?.cure).toContain("external");
  expect(of(diagnosis, "heard")[0]?.text).toBe("node:http, fetch, ioredis 5.1.0");
  expect(diagnosis.libraries.map(({ name, state }) => `${name} ${state}`)).toEqual(["ioredis heard", "pg bundled"]);
});

test("how to start the app: by tsx, where it is installed and the app is TypeScript", async () => {
  const cure = async (app: string) => of(await diagnose([app]), "start")[0]?.cure;
  for (const name of ["app.js", "app.ts"]) write(name, "");
  expect(await cure("app.ts")).toBe("npx telltale run app.ts");
  install("tsx", "4.0.0");
  expect(await cure("app.ts")).toBe("npx telltale run --import tsx app.ts");
  expect(await cure("app.js")).toBe("npx telltale run app.js");
});

describe("what is loaded before Telltale", () => {
  beforeEach(() => {
    install("pg", "8.0.0");
    install("early", "1.0.0", { dependencies: { pg: "8" } });
  });

  test.each<[what: string, files: Record<string, string>, env: Record<string, string>, late: string[]]>([
    [
      "start() below an import",
      { "app.mjs": 'import { start } from "telltale";\nimport pg from "pg";\nstart();' },
      {},
      ["pg"],
    ],
    [
      "start() above an import, which runs first",
      { "app.mjs": 'import { start } from "telltale";\nstart();\nimport "./db.mjs";', "db.mjs": 'import "pg";' },
      {},
      ["pg"],
    ],
    ["start() before require", { "app.cjs": 'require("telltale").start();\nrequire("pg");' }, {}, []],
    ["start() after require", { "app.cjs": 'require("pg");\nrequire("telltale").start();' }, {}, ["pg"]],
    [
      "start() in a file of its own",
      { "app.mjs": 'import "./watch.mjs";\nimport "pg";', "watch.mjs": 'import { start } from "telltale";\nstart();' },
      {},
      [],
    ],
    [
      "a preload before ours",
      { "app.mjs": 'import "pg";' },
      { NODE_OPTIONS: "--require early --require telltale/register" },
      ["pg"],
    ],
    [
      "a preload after ours",
      { "app.mjs": 'import "pg";' },
      { NODE_OPTIONS: "--require telltale/register --require early" },
      [],
    ],
    [
      "telltale run names its preload first",
      { "app.mjs": 'import "pg";', Dockerfile: 'CMD ["npx", "telltale", "run", "--require", "early", "app.mjs"]' },
      {},
      [],
    ],
    [
      "--import comes after --require",
      { "app.mjs": 'import "pg";' },
      { NODE_OPTIONS: "--import telltale/register --require ./first.cjs" },
      ["pg"],
    ],
  ])("%s", async (_, files, env, late) => {
    write("first.cjs", 'require("pg");');
    for (const [name, text] of Object.entries(files)) write(name, text);
    // The doctor is a program of Node's, too: what it is preloaded with must be there.
    write("node_modules/early/index.js", "");
    write("node_modules/early/package.json", {
      name: "early",
      version: "1.0.0",
      main: "index.js",
      dependencies: { pg: "8" },
    });
    write("node_modules/telltale/register.cjs", "");
    write("node_modules/telltale/package.json", {
      name: "telltale",
      version: VERSION,
      exports: { "./register": "./register.cjs" },
    });
    write("node_modules/pg/index.js", "");
    const diagnosis = await diagnose([Object.keys(files)[0] ?? ""], { ...OFF, ...env });
    expect(problems(diagnosis).map(({ subject }) => subject)).toEqual(late);
    const states = diagnosis.libraries.filter(({ name }) => name === "pg").map(({ state }) => state);
    expect(states).toEqual([late.length > 0 ? "late" : "heard"]);
    expect(of(diagnosis, "heard")[0]?.text.includes("pg")).toBe(late.length === 0);
  });
});

test.each([
  ["1.9.0", []],
  ["1.99.0", ["api"]],
  ["0.3.0", ["api"]],
])("a second @opentelemetry/api %s", async (version, expected) => {
  write("package.json", { name: "app", dependencies: { traced: "1" } });
  install("traced", "1.0.0", { dependencies: { "@opentelemetry/api": "1" } });
  install("@opentelemetry/api", version, {}, "node_modules/traced");
  expect(problems(await diagnose([])).map(({ subject }) => subject)).toEqual(expected);
});

test("a file that is made to be slow to read", async () => {
  const blank = "\n".repeat(300_000);
  const open = "import type { a } ".repeat(20_000);
  const paths = "node_modules/a/".repeat(50_000);
  write("app.js", `${blank}from${" ".repeat(300_000)}x;${open}${paths}${"start ".repeat(50_000)}"telltale"`);
  const from = performance.now();
  await diagnose(["app.js"]);
  expect(performance.now() - from).toBeLessThan(5_000);
});

test.each<[what: string, files: Readonly<Record<string, string | object>>]>([
  ["folders where files are looked for", { ".env/bin/x": "", "Dockerfile/x": "", "Procfile/x": "" }],
  ["names that are no paths", { "app.js": `require(".\0"); require("./${"a".repeat(290)}"); require("./loop")` }],
  ["a manifest of wrong types", { "package.json": { name: 7, version: {}, type: [], main: 5, scripts: null } }],
  [
    "a library's manifest of wrong types",
    { "package.json": { dependencies: { odd: "8" } }, "node_modules/odd/package.json": { name: 5, version: 8 } },
  ],
])("an odd project: %s", async (_, files) => {
  write("app.js", "");
  symlinkSync("loop.js", join(folder, "loop.js"));
  for (const [path, content] of Object.entries(files)) write(path, content);
  expect(problems(await diagnose([]))).toEqual([]);
});

test("a manifest that begins with a byte order mark", async () => {
  write("package.json", '\uFEFF{ "name": "marked", "version": "2.0.0" }');
  expect((await diagnose([])).app).toMatchObject({ name: "marked", version: "2.0.0" });
});

test("another agent", async () => {
  write("package.json", { name: "app", dependencies: { "dd-trace": "5" } });
  install("dd-trace", "5.0.0");
  expect(of(await diagnose([]), "agents")).toMatchObject([
    { status: "warning", text: expect.stringContaining("dd-trace 5.0.0") },
  ]);
});

test("a wrong configuration: every problem of it, no value that may be secret", async () => {
  write("telltale.config.json", `{ "traces": { "headers": { "authorization": "${SECRET}" }, nonsense`);
  const broken = await diagnose([], {
    OTEL_EXPORTER_OTLP_HEADERS: `key=${SECRET}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `user:${SECRET}@host`,
  });
  expect(of(broken, "config").map(({ text }) => text)).toEqual([
    expect.stringContaining("OTEL_EXPORTER_OTLP_ENDPOINT must be a URL"),
    expect.stringContaining("telltale.config.json cannot be read"),
  ]);
  // V8 quotes what is around the mistake.
  for (const text of [`{"k": ${SECRET}}`, `{\n"k":\n${SECRET}\n}`]) {
    write("telltale.config.json", text);
    const quoted = await diagnose([]);
    expect(JSON.stringify(quoted)).not.toContain(SECRET.slice(0, 4));
    expect(of(quoted, "config")[0]?.text).toMatch(/cannot be read: Unexpected token 's': it is not valid JSON$/);
  }
});

test("a variable that is not known, and the known ones", async () => {
  const found = await diagnose([], { ...OFF, TELLTALE_SLOW_QUERIES_MS: SECRET, TELLTALE_LOG: "silent" });
  expect(of(found, "config")).toMatchObject([
    { status: "ok", text: "3 variables" },
    {
      status: "warning",
      text: expect.stringContaining("TELLTALE_SLOW_QUERIES_MS"),
      cure: expect.stringContaining("TELLTALE_SLOW_QUERY_MS"),
    },
  ]);
});

test("an app of which nothing but its name is known is called by that", async () => {
  const { stdout } = await run([]);
  expect(stdout.split("\n").slice(0, 2)).toEqual(["", "app 1.2.3"]);
});

describe("endpoints", () => {
  const TRACES = { OTEL_EXPORTER_PROMETHEUS_PORT: "0" };

  test.each<[status: number | undefined, found: Check["status"]]>([
    [200, "ok"],
    [401, "problem"],
    [404, "problem"],
    [503, "warning"],
    [undefined, "problem"],
  ])("a collector that answers with %s", async (status, found) => {
    const asked: IncomingMessage[] = [];
    const url = await listen(status, asked);
    const [check] = of(
      await diagnose([], {
        ...TRACES,
        OTEL_EXPORTER_OTLP_ENDPOINT: url.replace("//", `//user:${SECRET}@`),
        OTEL_EXPORTER_OTLP_HEADERS: `x-key=${SECRET}`,
      }),
      "traces",
    );
    expect(check).toMatchObject({ status: found, text: expect.stringContaining(url) });
    expect(asked.map(({ method, url, headers }) => [method, url, headers["x-key"]])).toEqual([
      ["POST", "/v1/traces", SECRET],
    ]);
  });

  test("nobody there is a warning where nothing was said, and a problem where something was", async () => {
    const url = await listen(200);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const [check] = of(await diagnose([], { ...TRACES, OTEL_EXPORTER_OTLP_ENDPOINT: url }), "traces");
    expect(check).toMatchObject({ status: "problem", text: expect.stringContaining("nothing listens there") });
  });

  test("a port that is taken", async () => {
    const { port } = new URL(await listen(404));
    const [check] = of(await diagnose([], { ...OFF, OTEL_EXPORTER_PROMETHEUS_PORT: port }), "metrics");
    expect(check).toMatchObject({ status: "problem", text: expect.stringContaining(`127.0.0.1:${port}`) });
    expect(check?.cure).toContain("OTEL_EXPORTER_PROMETHEUS_PORT");
  });

  test("an address that is none of this machine's, also for a free port", async () => {
    const [check] = of(await diagnose([], { ...OFF, OTEL_EXPORTER_PROMETHEUS_HOST: "192.0.2.1" }), "metrics");
    expect(check).toMatchObject({ status: "problem", text: "192.0.2.1:0 cannot be listened on: EADDRNOTAVAIL" });
  });

  test("the preload in NODE_OPTIONS, which is for the app, does not take the port", async () => {
    const server = await listen(200);
    const { port } = new URL(server);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const preloaded = { ...OFF, OTEL_EXPORTER_PROMETHEUS_PORT: port, NODE_OPTIONS: `--require ${REGISTER}` };
    const { stdout, stderr } = await runProgram(join(MODULES, ".bin/telltale"), {
      args: ["doctor", "--json"],
      cwd: folder,
      env: preloaded,
    });
    expect(stderr).toBe("");
    expect(of(JSON.parse(stdout) as Diagnosis, "metrics")).toMatchObject([{ status: "ok" }]);
  });

  test("a package that an exporter needs", async () => {
    const { checks } = await diagnose([], {
      ...OFF,
      OTEL_TRACES_EXPORTER: "none",
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    });
    expect(checks.filter(({ subject }) => subject === "package")).toEqual([]);
  });
});

test("with --run, and only then, the app is run, and what it loads is told", async () => {
  symlinkSync(MODULES, join(folder, "node_modules"));
  write(
    "server.js",
    `require("pg"); require("node:fs").writeFileSync(${JSON.stringify(join(folder, "ran"))}, "");
     setInterval(() => {}, 1000); process.stderr.write("${SECRET}");`,
  );
  await diagnose(["server.js"]);
  expect(existsSync(join(folder, "ran"))).toBe(false);
  const diagnosis = await diagnose(["--run", "1", "server.js"]);
  expect(existsSync(join(folder, "ran"))).toBe(true);
  expect(of(diagnosis, "run")).toEqual([
    { subject: "run", status: "ok", text: expect.stringMatching(/^in 1 s it loaded pg-pool \S+, pg \d\S+$/) },
  ]);
  write("fails.js", "process.exit(3);");
  expect(of(await diagnose(["--run", "5", "fails.js"]), "run")).toMatchObject([{ status: "problem" }]);
});

test.each([
  [["--run", "x"], "--run must be a number of seconds"],
  [["missing.js"], "there is no file missing.js"],
  [[MODULES], `${MODULES} is neither a file nor a folder with a package.json`],
  [["a.js", "b.js"], "one app at a time"],
  [["--jsn"], "Unknown option '--jsn'"],
])("%j is refused in a line, with exit code 2", async (args, expected) => {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(`telltale: ${expected}`);
});
