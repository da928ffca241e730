import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Findings, Instruments, Requests, Status } from "@telltale/viewer";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { fixture, plainEnvironment, programLines, type ProgramRun, runProgram, telltaleLines } from "./run-program.js";
import { testNodes } from "./servers/index.js";

const CLI = fileURLToPath(new URL("../../packages/telltale/telltale.cjs", import.meta.url));
const nodes = await testNodes();
const ANY_PORT = ["--port", "0", "--otlp-port", "0"];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-dev-"));
  writeFileSync(join(folder, "package.json"), '{ "name": "kiosk" }');
  // Asks itself as often as it is told, and ends with 3; without a number it stays.
  writeFileSync(
    join(folder, "app.cjs"),
    `const { createServer } = require("node:http");
     const times = Number(process.argv[2] ?? 0);
     const server = createServer((request, response) => response.end("hello"));
     server.listen(0, "127.0.0.1", async () => {
       for (let n = 0; n < (times || 2); n++) await fetch("http://127.0.0.1:" + server.address().port + "/things?n=" + n);
       console.log("asked");
       if (times > 0) process.exitCode = 3, server.close();
     });
     process.on("message", (word) => process.send("heard " + word, () => process.exit(0)));`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const seen = ({ code, signal, stdout, stderr }: ProgramRun): object => ({
  code,
  signal,
  stdout,
  stderr: programLines(stderr),
});

const PROGRAMS: [program: string, signal: NodeJS.Signals | undefined][] = [
  ["exit-code.cjs", undefined],
  ["signal-default.cjs", "SIGTERM"],
  ["signal-handled.mjs", "SIGINT"],
];
test.concurrent.each(
  nodes.flatMap(({ version, binary }) => PROGRAMS.map(([program, signal]) => ({ version, binary, program, signal }))),
)("telltale dev: $program ends on Node $version as it does alone", async ({ binary, program, signal }) => {
  const [alone, watched] = await Promise.all([
    runProgram(fixture(`programs/${program}`), { node: binary, signal }),
    runProgram(CLI, { node: binary, signal, args: ["dev", ...ANY_PORT, fixture(`programs/${program}`)] }),
  ]);
  expect(seen(watched)).toEqual(seen(alone));
});

interface Started {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  /** Of the viewer. */
  ask<T>(path: string): Promise<T>;
}

/** Those that it answered. What it sent itself, in no request, is one of its own. */
async function readServed({ ask }: Pick<Started, "ask">): Promise<object[]> {
  const { requests } = await ask<Requests>("/api/requests");
  return requests
    .filter(({ target }) => target?.startsWith("/") === true)
    .map(({ service, target, status }) => ({ service, target, status }));
}

/** Runs the command line until the viewer's address is there. */
async function start(args: readonly string[], env: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env: { ...plainEnvironment(), ...env } });
  onTestFinished(() => void child.kill("SIGKILL"));
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (part: Buffer) => (output.stdout += part.toString()));
  child.stderr.on("data", (part: Buffer) => (output.stderr += part.toString()));
  const address = (): string | undefined => /watch (?:it )?at (http:\S+)/.exec(output.stdout + output.stderr)?.[1];
  await expect.poll(address, { timeout: 20_000 }).toBeDefined();
  const ask = async <T>(path: string): Promise<T> => (await fetch(`${address()}${path}`)).json() as Promise<T>;
  return { child, output, ask };
}

test("telltale dev shows what the program did, leaves stdout to it, and ends as it did", async () => {
  const { child, output, ask } = await start(["dev", ...ANY_PORT, "--stay", "app.cjs", "5"]);
  await expect.poll(() => output.stderr, { timeout: 20_000 }).toContain("the program ended with 3");
  expect(await readServed({ ask })).toEqual(
    [4, 3, 2, 1, 0].map((n) => ({ service: "kiosk", target: `/things?n=${n}`, status: 200 })),
  );
  const { instruments } = await ask<Instruments>("/api/metrics");
  expect(instruments.map(({ name }) => name)).toContain("http.server.request.duration");
  expect(output.stdout).toBe("asked\n");
  const url = /watch it at (\S+)/.exec(output.stderr)?.[1] ?? "";
  const top = await runProgram(CLI, { args: ["top", "--url", url] });
  expect(top).toMatchObject({ code: 0, stderr: "" });
  expect(top.stdout).toMatch(/^routes\nROUTE .*\nGET .*\n[^]*\n\nfindings\n/);
  expect(await askAsAssistant(url)).toContain("/things?n=4");
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([3, null]);
});

/** What `telltale mcp` answers to a call of list_requests. */
async function askAsAssistant(url: string): Promise<string> {
  const mcp = spawn(process.execPath, [CLI, "mcp", "--url", url], { env: plainEnvironment() });
  const exited = once(mcp, "exit");
  const client = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } };
  const calls = [
    { method: "initialize", params: client },
    { method: "tools/call", params: { name: "list_requests", arguments: {} } },
  ];
  mcp.stdin.end(calls.map((call, id) => `${JSON.stringify({ jsonrpc: "2.0", id, ...call })}\n`).join(""));
  let text = "";
  for await (const part of mcp.stdout) text += String(part);
  expect(await exited).toEqual([0, null]);
  return text;
}

test("telltale dev --stay ends with the program where a signal wants both to end", async () => {
  const { child, output } = await start(["dev", ...ANY_PORT, "--stay", "app.cjs"]);
  await expect.poll(() => output.stdout, { timeout: 20_000 }).toBe("asked\n");
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([null, "SIGTERM"]);
});

test("findings arrive as events, and no setting is needed for it", async () => {
  writeFileSync(
    join(folder, "blocks.cjs"),
    `
    const { createServer } = require("node:http");
    createServer((request, response) => {
      const until = performance.now() + 150;
      while (performance.now() < until);
      response.end();
    }).listen(0, "127.0.0.1", async function () {
      for (let n = 0; n < 3; n++) await fetch("http://127.0.0.1:" + this.address().port + "/slow");
      setTimeout(() => process.exit(), 10_000);
    });`,
  );
  const { ask } = await start(["dev", ...ANY_PORT, "blocks.cjs"]);
  const kinds = async (): Promise<string[]> => (await ask<Findings>("/api/findings")).findings.map(({ kind }) => kind);
  await expect.poll(kinds, { timeout: 20_000 }).toContain("event_loop_blocked");
});

test("a program that is started again with each change keeps its viewer, and what was in it", async () => {
  const { child, ask } = await start(["dev", ...ANY_PORT, "--watch", "app.cjs"]);
  const count = async (): Promise<number> => (await readServed({ ask })).length;
  await expect.poll(count, { timeout: 20_000 }).toBe(2);
  utimesSync(join(folder, "app.cjs"), new Date(), new Date());
  await expect.poll(count, { timeout: 20_000 }).toBeGreaterThanOrEqual(4);
  const { sources } = await ask<Status>("/api/status");
  expect(new Set(sources.map(({ instance }) => instance)).size).toBeGreaterThanOrEqual(2);
  child.kill("SIGTERM");
  await once(child, "exit");
});

test("a parent that talks to it talks to the program", async () => {
  const child = fork(CLI, ["dev", ...ANY_PORT, join(folder, "app.cjs")], { env: plainEnvironment(), silent: true });
  const answer = once(child, "message");
  child.send("hello");
  expect((await answer)[0]).toBe("heard hello");
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("an inspector that NODE_OPTIONS ask for is the program's", async () => {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, "close");
  const env = { NODE_OPTIONS: `--inspect=127.0.0.1:${port}` };
  const program = "console.log(require('node:inspector').url())";
  const run = await runProgram(CLI, { cwd: folder, env, args: ["dev", ...ANY_PORT, "-e", program] });
  expect(run).toMatchObject({ code: 0, stdout: expect.stringContaining(`ws://127.0.0.1:${port}/`) });
});

test("what the environment says already stays, and is told where the viewer misses it", async () => {
  const env = { OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://127.0.0.1:1/v1/metrics" };
  const run = await runProgram(CLI, { cwd: folder, env, args: ["dev", ...ANY_PORT, "app.cjs", "1"] });
  expect(run).toMatchObject({ code: 3, stdout: "asked\n" });
  expect(telltaleLines(run.stderr)[1]).toMatch(
    /the environment has its own OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: /,
  );
});

test("telltale dev takes another port where the usual one is taken; who asks for one is told what to do", async () => {
  const other = createServer().listen(4319, "127.0.0.1");
  // Somebody else may have it: it is taken all the same.
  await Promise.race([once(other, "listening"), new Promise((resolve) => other.once("error", resolve))]);
  onTestFinished(() => void other.close());
  const run = await runProgram(CLI, { cwd: folder, args: ["dev", "--otlp-port", "0", "app.cjs", "1"] });
  expect(run.code).toBe(3);
  expect(run.stderr).toMatch(/watch it at http:\/\/localhost:\d+\n/);
  expect(run.stderr).not.toContain("localhost:4319");
  for (const [command, ...rest] of [["viewer"], ["dev", "app.cjs"]] as const) {
    const args = [command, "--port", "4319", "--otlp-port", "0", ...rest];
    const refused = await runProgram(CLI, { cwd: folder, args });
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(telltaleLines(refused.stderr)).toEqual([expect.stringMatching(/port 4319 is taken.*--port 0/)]);
  }
});

test("telltale viewer with a file knows on its next start what it was sent before", async () => {
  const args = ["viewer", ...ANY_PORT, "--file", join(folder, "kept.db")];
  const before = await start(args);
  const endpoint = /send OTLP to (\S+)/.exec(before.output.stdout)?.[1] ?? "";
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRICS_EXPORTER: "none" };
  const run = await runProgram(CLI, { cwd: folder, env, args: ["run", "app.cjs", "3"] });
  expect(run.code).toBe(3);
  before.child.kill("SIGINT");
  expect(await once(before.child, "exit")).toEqual([0, null]);
  const after = await start(args);
  expect(await readServed(after)).toHaveLength(3);
  after.child.kill("SIGTERM");
  expect(await once(after.child, "exit")).toEqual([null, "SIGTERM"]);
});

const WRONG: [args: string[], says: RegExp][] = [
  [["dev"], /say which program to run: telltale dev app\.js/],
  [["dev", "--port", "http", "app.cjs"], /--port must be a port from 0 to 65535, got "http"/],
  [["viewer", "--host", "192.0.2.1", ...ANY_PORT], /--host must be an address of this machine, got "192\.0\.2\.1"/],
  [["viewer", "--file", "/no/such/folder/x.db", ...ANY_PORT], /--file: \/no\/such\/folder\/x\.db cannot be opened/],
  [["viewer", "app.js"], /see telltale viewer --help/],
  [["mcp", "--url", "ftp://x"], /--url must be the address of a viewer such as http:\/\/localhost:4319/],
  [["top", "--minutes", "0"], /--minutes must be a number from 1 to 1440/],
];
test.each(WRONG)("telltale %j says what is wrong", async (args, says) => {
  const run = await runProgram(CLI, { args });
  expect({ code: run.code, stdout: run.stdout }).toEqual({ code: 2, stdout: "" });
  expect(run.stderr).toMatch(says);
  expect(run.stderr).not.toMatch(/^\s+at /m);
});

test("telltale viewer --host warns that others see it", async () => {
  const { child, output } = await start(["viewer", ...ANY_PORT, "--host", "127.0.0.1"]);
  expect(output.stderr).toMatch(/--host 127\.0\.0\.1: whoever reaches/);
  child.kill("SIGTERM");
  await once(child, "exit");
});
