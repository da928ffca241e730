import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "@telltale/core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { REGISTER, runProgram } from "./run-program.js";

const CLI = fileURLToPath(new URL("../../packages/telltale/telltale.cjs", import.meta.url));
const DIST = fileURLToPath(new URL("../../packages/telltale/dist/cli/", import.meta.url));

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]) => runProgram(CLI, { args, cwd: folder });

describe("telltale", () => {
  test.each([[[]], [["--help"]], [["help"]]])("%j says what there is", async (args: string[]) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const name of ["baseline", "dev", "doctor", "grafana", "mcp", "report", "run", "top", "viewer"])
      expect(stdout).toMatch(new RegExp(`^ {2}telltale ${name} {4,}\\w`, "m"));
  });

  test("--version", async () => {
    expect(await run("--version")).toMatchObject({ code: 0, stdout: `${VERSION}\n` });
  });

  test("a reader who has gone is no failure", async () => {
    const child = spawn(process.execPath, [CLI, "--help"], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.on("data", (text) => (stderr += text));
    const [code] = await once(child, "close");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  test("says what it needs on an old Node", async () => {
    const old = join(folder, "old.cjs");
    writeFileSync(
      old,
      `Object.defineProperty(process.versions, "node", { value: "20.20.2" });
       Object.defineProperty(process, "version", { value: "v20.20.2" });
       require(${JSON.stringify(CLI)});`,
    );
    expect(await runProgram(old)).toMatchObject({
      code: 2,
      stdout: "",
      stderr: "telltale: needs Node.js 22.15 or newer, found v20.20.2\n",
    });
  });
});

describe("telltale grafana", () => {
  let out = "";
  beforeEach(() => {
    out = mkdtempSync(join(folder, "out-"));
  });
  const read = (path: string) => readFileSync(join(out, path), "utf8");

  test("writes dashboards, provisioning, rules and examples, says so, and what to do next", async () => {
    const { code, stdout, stderr } = await run("grafana", "--out", out);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const files = readdirSync(out, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(out.length + 1));
    expect(files.toSorted()).toEqual([
      "alertmanager/alertmanager.yaml",
      ...["caches", "databases", "findings", "pools", "runtime", "service"].map(
        (name) => `dashboards/telltale-${name}.json`,
      ),
      "prometheus/prometheus.yaml",
      "prometheus/telltale.rules.yaml",
      "provisioning/dashboards/telltale.yaml",
      "provisioning/datasources/telltale.yaml",
      "slo.yaml",
    ]);
    for (const file of files) expect(stdout).toContain(`\n  ${file}\n`);
    expect(stdout).toContain(`Wrote 12 files to ${out}`);
    for (const next of ["Grafana", "Prometheus", "Alertmanager", "slo.yaml"]) expect(stdout).toContain(next);
  });

  test("takes what slo.yaml says, from where it was left the last time too", async () => {
    await run("grafana", "--out", out);
    const file = join(out, "slo.yaml");
    writeFileSync(file, read("slo.yaml").replace("meanMs: 50", "meanMs: 12"));
    expect(await run("grafana", "--out", out)).toMatchObject({ code: 0 });
    expect(read("prometheus/telltale.rules.yaml")).toContain("> 0.012");
    expect(read("slo.yaml")).toContain("meanMs: 12");

    const another = join(folder, "another.yaml");
    writeFileSync(another, "database: { meanMs: 13 }");
    const { stdout } = await run("grafana", "--out", out, "--slo", another);
    expect(stdout).toContain(`promises: ${another}`);
    expect(read("prometheus/telltale.rules.yaml")).toContain("> 0.013");
    expect(read("slo.yaml")).toContain("meanMs: 12");
  });

  test("leaves the examples to whom they belong once they are written", async () => {
    await run("grafana", "--out", out);
    writeFileSync(join(out, "alertmanager/alertmanager.yaml"), "route: { receiver: ours }");
    rmSync(join(out, "dashboards/telltale-pools.json"));
    const { stdout } = await run("grafana", "--out", out);
    expect(read("alertmanager/alertmanager.yaml")).toBe("route: { receiver: ours }");
    expect(read("dashboards/telltale-pools.json")).toContain("Telltale / Pools");
    expect(stdout).toContain(`Wrote 9 files to ${out}`);
    expect(stdout).toContain("Left as they were: prometheus/prometheus.yaml, alertmanager/alertmanager.yaml;");
  });

  test("takes the strategy that the services name their metrics by", async () => {
    await run("grafana", "--out", out, "--strategy", "UnderscoreEscapingWithoutSuffixes");
    expect(read("dashboards/telltale-service.json")).toContain("http_server_request_duration_bucket{");
    expect(read("dashboards/telltale-service.json")).not.toContain("_seconds_");
  });

  test("takes where everything is; exemplars lead to Jaeger and to Tempo", async () => {
    const urls = ["prometheus", "jaeger", "tempo", "alertmanager"].map((name) => [
      `--${name}`,
      `http://${name}.example:1/`,
    ]);
    await run(
      "grafana",
      "--out",
      out,
      "--dashboards",
      "/var/lib/dashboards",
      "--grafana",
      "https://g.example/x/",
      ...urls.flat(),
    );
    const { datasources } = parse(read("provisioning/datasources/telltale.yaml")) as {
      datasources: { type: string; uid: string; url: string; jsonData?: Record<string, unknown> }[];
    };
    for (const { type, url } of datasources) expect(url).toBe(`http://${type}.example:1`);
    const uidOf = (wanted: string) => datasources.find(({ type }) => type === wanted)?.uid;
    expect(datasources.find(({ type }) => type === "prometheus")?.jsonData?.["exemplarTraceIdDestinations"]).toEqual([
      { name: "trace_id", datasourceUid: uidOf("jaeger"), urlDisplayLabel: "Open in Jaeger" },
      { name: "trace_id", datasourceUid: uidOf("tempo"), urlDisplayLabel: "Open in Tempo" },
    ]);
    expect(read("provisioning/dashboards/telltale.yaml")).toContain("path: /var/lib/dashboards");
    expect(read("prometheus/telltale.rules.yaml")).toContain("https://g.example/x/d/telltale-service?");
    expect(read("prometheus/prometheus.yaml")).toContain("alertmanager.example:1");
  });

  test("has Prometheus reach Alertmanager as its URL says", async () => {
    await run("grafana", "--out", out, "--alertmanager", "https://tools.example/alerts/");
    const { alerting } = parse(read("prometheus/prometheus.yaml")) as { alerting: unknown };
    expect(alerting).toEqual({
      alertmanagers: [{ scheme: "https", path_prefix: "/alerts", static_configs: [{ targets: ["tools.example"] }] }],
    });
  });

  const OUT = ["--out", "never"];
  test.each<[args: string[], expected: RegExp]>([
    [
      ["grafan"],
      /^telltale: unknown command "grafan"; known are baseline, dev, doctor, grafana, mcp, report, run, top, viewer; see telltale --help\n$/,
    ],
    [["constructor"], /^telltale: unknown command "constructor"/],
    [["grafana"], /^telltale: --out must be the folder to write to, such as --out telltale-grafana\n$/],
    [["grafana", "--out"], /^telltale: Option '--out <value>' argument missing; see telltale grafana --help\n$/],
    [["grafana", "--out="], /^telltale: --out must be the folder/],
    [
      ["grafana", ...OUT, "--strategie", "x"],
      /^telltale: Unknown option '--strategie'.*; see telltale grafana --help\n$/,
    ],
    [["grafana", ...OUT, "more"], /^telltale: Unexpected argument 'more'/],
    [["grafana", ...OUT, "--dashboards="], /^telltale: --dashboards must be the folder/],
    [
      ["grafana", ...OUT, "--strategy", "snake"],
      /^telltale: --strategy must be one of UnderscoreEscapingWithSuffixes, .+, upstream, got "snake"\n$/,
    ],
    [
      ["grafana", ...OUT, "--tempo", "tempo:3200"],
      /^telltale: --tempo must be a URL such as http:\/\/localhost:3200, got "/,
    ],
    [
      ["grafana", ...OUT, "--slo", "missing.yaml"],
      /^telltale: --slo must be a file that can be read, got "missing\.yaml": ENOENT/,
    ],
    [["grafana", ...OUT, "--slo", "."], /^telltale: --slo must be a file that can be read, got "\.": EISDIR/],
    [
      ["grafana", ...OUT, "--slo", "wrong.yaml"],
      /^telltale: wrong\.yaml: unknown name a; known are .+\ntelltale: wrong\.yaml: minPerSecond must be .+, got "x"; .+\n$/,
    ],
    [
      ["grafana", "--out", "wrong.yaml"],
      /^telltale: --out must be a folder that can be written to; .+ cannot: ENOTDIR/,
    ],
    [
      ["grafana", "--out", "/proc/telltale/grafana"],
      /^telltale: --out must be a folder that can be written to; \/proc\/.+ cannot: E[A-Z]+/,
    ],
  ])("%j is refused in a line, with exit code 2, and nothing is written", async (args, expected) => {
    writeFileSync(join(folder, "wrong.yaml"), "a: 1\nminPerSecond: x\n");
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(expected);
    expect(existsSync(join(folder, "never"))).toBe(false);
  });

  test("--help says every option", async () => {
    const { code, stdout } = await run("grafana", "--help");
    expect(code).toBe(0);
    for (const option of [
      "out",
      "slo",
      "strategy",
      "dashboards",
      "grafana",
      "prometheus",
      "jaeger",
      "tempo",
      "alertmanager",
    ]) {
      expect(stdout).toMatch(new RegExp(`^ {2}--${option} <`, "m"));
    }
  });
});

describe("telltale baseline", () => {
  const GOOD = { telltale: "baseline", version: 1, recordedAt: "", seconds: 10, routes: {}, queries: {}, caches: {} };

  test.each<[args: string[], expected: RegExp]>([
    [[], /^telltale: say telltale baseline record, or telltale baseline compare \[file\]; see/],
    [["rekord"], /^telltale: say telltale baseline record/],
    [["compare", "a", "b"], /^telltale: say telltale baseline record/],
    [["record", "--sekonds", "1"], /^telltale: Unknown option '--sekonds'.*; see telltale baseline --help\n$/],
    [["record", "--seconds", "0"], /^telltale: --seconds must be a number of seconds from 1 to 86400, got "0"\n$/],
    [["record", "--url", "localhost"], /^telltale: --url must be a URL such as http:\/\/127\.0\.0\.1:9464\/metrics\n$/],
    [["record", "--url", "1"], /^telltale: looking at http:\/\/127\.0\.0\.1:1\/metrics for 60 s\n/],
    [["record", "--url", "localhost:1"], /^telltale: looking at http:\/\/localhost:1\/metrics for 60 s\n/],
    [
      ["record", "--url", "http://user:secret@127.0.0.1:1/metrics"],
      /\ntelltale: --url: http:\/\/127\.0\.0\.1:1\/metrics cannot be read: .+\n$/,
    ],
    [
      ["record", "--prometheus", "http://127.0.0.1:1"],
      /^telltale: --prometheus: http:\/\/127\.0\.0\.1:1\/api\/v1\/query cannot be read: .+\n$/,
    ],
    [
      ["record", "--prometheus", "http://127.0.0.1:1", "--at", "noon"],
      /^telltale: --at must be a time such as .+, got "noon"\n$/,
    ],
    [
      ["record", "--prometheus", "http://127.0.0.1:1", "--url", "http://127.0.0.1:1"],
      /^telltale: --url and --prometheus are two places/,
    ],
    [["record", "--select", 'job="x"'], /^telltale: --select goes with --prometheus\n$/],
    [
      ["compare", "good.json"],
      /^telltale: telltale\.baseline\.json must be a file that telltale baseline record has written: ENOENT/,
    ],
    [
      ["compare", "--baseline", "none.json", "good.json"],
      /^telltale: none\.json is no file that telltale baseline record has written\n$/,
    ],
    [
      ["compare", "--baseline", "newer.json", "good.json"],
      /^telltale: newer\.json is of version 2, and 1 can be read; record it again\n$/,
    ],
    [["compare", "--baseline", "half.json", "good.json"], /^telltale: half\.json has lost some of its parts/],
    [
      ["compare", "--baseline", "good.json", "good.json"],
      /^telltale: too little traffic to compare: 0 requests in 10 s/,
    ],
    [
      ["compare", "--baseline", "good.json", "good.json", "--p99", "0.5"],
      /^telltale: --p99 must be a number from 1 on, got "0\.5"\n$/,
    ],
    [
      ["compare", "--baseline", "good.json", "good.json", "--errors", ""],
      /^telltale: --errors must be a number from 0 to 1, got ""\n$/,
    ],
  ])("%j is refused in a line, with exit code 2", async (args, expected) => {
    const files = { good: GOOD, none: [], newer: { ...GOOD, version: 2 }, half: { ...GOOD, caches: undefined } };
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(folder, `${name}.json`), JSON.stringify(content));
    const { code, stdout, stderr } = await run("baseline", ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(expected);
    expect(stderr).not.toContain("secret");
  });

  test("looks where the service has its metrics, by the same variable", async () => {
    const env = { OTEL_EXPORTER_PROMETHEUS_PORT: "1" };
    const { code, stderr } = await runProgram(CLI, { args: ["baseline", "record"], cwd: folder, env });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("looking at http://127.0.0.1:1/") });
  });

  test("--help says every option", async () => {
    const { stdout } = await run("baseline", "--help");
    const names =
      "url prometheus select at seconds out baseline json p99 throughput errors queries hit-ratio min-requests";
    for (const name of names.split(" ")) expect(stdout).toMatch(new RegExp(`^ {2}--${name} `, "m"));
  });
});

describe("what is bundled", () => {
  test("loads only when it is called: not with the preload, not with another command", () => {
    const loaded = (...args: string[]) =>
      execFileSync(process.execPath, args, {
        encoding: "utf8",
        env: { ...process.env, OTEL_EXPORTER_PROMETHEUS_PORT: "0", TELLTALE_LOG: "silent" },
      });
    const list = 'console.log(Object.keys(require("node:module")._cache).join("\\n"))';
    expect(loaded("--require", REGISTER, "-e", list)).not.toContain("/cli/");
    const byMain = loaded("-e", `process.argv[2] = "--version"; require(${JSON.stringify(CLI)}); ${list}`);
    expect(byMain).toContain("/cli/main.cjs");
    expect(byMain).not.toMatch(/\/cli\/(?!main)/);
  });

  test("needs nothing that is not installed with Telltale", () => {
    for (const file of readdirSync(DIST).filter((name) => name.endsWith(".cjs"))) {
      const text = readFileSync(join(DIST, file), "utf8");
      const required = [...text.matchAll(/\b(?:require\d*|import)\("([^".][^"]*)"\)/g)].map(([, name = ""]) => name);
      const builtin = new Set(createRequire(import.meta.url)("node:module").builtinModules as string[]);
      const foreign = new Set(required.filter((name) => !name.startsWith("node:") && !builtin.has(name)));
      for (const installed of ["@telltale/core", "@opentelemetry/api"]) foreign.delete(installed);
      expect([...foreign], file).toEqual([]);
    }
  });

  test("comes with the licences of what it holds", () => {
    const text = readFileSync(join(DIST, "grafana.cjs"), "utf8");
    const licenses = readFileSync(join(DIST, "LICENSES.txt"), "utf8");
    const named = [...licenses.matchAll(/^(\S+) v?\d[\d.]* \((Apache-2\.0|ISC)\)$/gm)].map(([, name = ""]) => name);
    // As esbuild tells what it has taken in.
    expect(new Set(named)).toEqual(new Set(["@grafana/grafana-foundation-sdk", "@opentelemetry/core", "yaml"]));
    expect(text.slice(0, 200)).toContain("LICENSES.txt");
  });
});
