import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runProgram, telltaleLines } from "./run-program.js";

interface Manifest {
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(root, "node_modules");
const product = join(root, "packages/telltale");
const MB = 1024 * 1024;

const manifestOf = (folder: string) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

/** Every package that `npm install telltale` brings, by folder; what is optional is left out. */
function installedBy(folder: string, found = new Set<string>()): Set<string> {
  if (found.has(folder)) return found;
  found.add(folder);
  const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifestOf(folder);
  const wanted = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  for (const name of [...Object.keys(dependencies), ...wanted]) installedBy(find(name, folder), found);
  return found;
}

function find(name: string, from: string): string {
  if (name.startsWith("@telltale/")) return join(root, "packages", name.slice("@telltale/".length));
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (statSync(candidate, { throwIfNoEntry: false }) !== undefined) return candidate;
  }
  throw new Error(`${name}, which ${from} depends on, is not installed`);
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== "node_modules")
    .map((entry) => join(folder, entry.name))
    .reduce((sum, path) => sum + (statSync(path).isDirectory() ? bytesIn(path) : statSync(path).size), 0);
}

/** What npm would publish of one of our own packages. */
function publishedBytes(folder: string): number {
  const said = execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: folder, encoding: "utf8", stdio: "pipe" });
  const [packed] = Object.values(JSON.parse(said) as Record<string, { unpackedSize: number }>);
  return packed?.unpackedSize ?? Number.NaN;
}

test("a production install is small", () => {
  const folders = [...installedBy(product)];
  const own = folders.filter((folder) => !folder.startsWith(modules)).map(publishedBytes);
  const others = folders.filter((folder) => folder.startsWith(modules)).map(bytesIn);
  const sum = (sizes: number[]) => sizes.reduce((total, size) => total + size, 0);
  expect(folders.length).toBeGreaterThan(5);
  expect(sum(own) / MB).toBeLessThan(3);
  expect((sum(own) + sum(others)) / MB).toBeLessThan(45);
});

test("the bundle takes only what is declared to be installed", () => {
  const { dependencies, peerDependencies } = manifestOf(product);
  // Its lines are wrapped, within strings too.
  const text = readFileSync(join(product, "dist/index.cjs"), "utf8").replaceAll("\\\n", "");
  const required = [...text.matchAll(/\brequire\d*\(\s*"([^".][^"]*)"\)/g)].map(([, name = ""]) => name);
  const foreign = new Set(required.filter((name) => !name.startsWith("node:") && name.includes("/")));
  expect(foreign).toContain("@opentelemetry/api");
  expect([...foreign].filter((name) => !(name in { ...dependencies, ...peerDependencies }))).toEqual([]);
});

describe("with nothing of what is optional", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "telltale-installed-"));
    const installed = join(folder, "node_modules");
    mkdirSync(join(installed, "@telltale"), { recursive: true });
    mkdirSync(join(installed, "@opentelemetry"));
    cpSync(product, join(installed, "telltale"), {
      recursive: true,
      filter: (path) => !path.includes("node_modules", product.length),
    });
    for (const path of installedBy(product)) {
      const name = path.startsWith(modules) ? path.slice(modules.length + 1) : "@telltale/core";
      if (path !== product) symlinkSync(path, join(installed, name));
    }
    writeFileSync(join(folder, "package.json"), '{"name":"app"}');
    writeFileSync(join(folder, "app.cjs"), 'setTimeout(() => console.log("app ran"), 300);');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function run(env: Record<string, string>): Promise<string[]> {
    const result = await runProgram(join(folder, "app.cjs"), {
      cwd: folder,
      nodeOptions: ["--require", "telltale/register"],
      env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0", ...env },
    });
    expect(result).toMatchObject({ code: 0, stdout: "app ran\n" });
    return telltaleLines(result.stderr);
  }
  const watches = /watches all it knows · metrics: \S+ · traces: (\S+)$/;

  test("it runs", async () => {
    expect(await run({})).toEqual([expect.stringMatching(watches)]);
  });

  test.each<[what: string, env: Record<string, string>, ...missing: string[]]>([
    ["zipkin", { OTEL_TRACES_EXPORTER: "zipkin" }, "exporter-zipkin@3.1.0"],
    ["traces over grpc", { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "exporter-trace-otlp-grpc@0.301.0"],
    [
      "metrics over grpc",
      { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_METRICS_EXPORTER: "otlp", OTEL_TRACES_EXPORTER: "none" },
      "exporter-metrics-otlp-grpc@0.301.0",
    ],
    [
      "logs over grpc",
      { OTEL_LOGS_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: "grpc" },
      "exporter-logs-otlp-grpc@0.301.0",
    ],
  ])("%s: one line says what to install, and the rest runs", async (_, env, ...missing) => {
    const lines = await run(env);
    expect(lines).toHaveLength(missing.length + 1);
    for (const [n, name] of missing.entries()) expect(lines[n]).toContain(`npm install @opentelemetry/${name}`);
    expect(lines.at(-1)).toContain(" watches ");
  });
});
