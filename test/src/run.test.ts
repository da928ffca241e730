import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixture, plainEnvironment, programLines, type ProgramRun, runProgram, telltaleLines } from "./run-program.js";
import { testNodes } from "./servers/index.js";

const CLI = fileURLToPath(new URL("../../packages/telltale/telltale.cjs", import.meta.url));
const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
const nodes = await testNodes();
const env = { OTEL_EXPORTER_PROMETHEUS_PORT: "0", OTEL_TRACES_EXPORTER: "none", TELLTALE_LOG: "debug" };

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-run-"));
  symlinkSync(MODULES, join(folder, "node_modules"));
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write("package.json", '{ "name": "app", "scripts": { "start": "node app.cjs" } }');
  write("app.js", 'require("./app.cjs");');
  write("app.cjs", 'require("pg"); console.log("app", JSON.stringify(process.argv.slice(2)));');
  write("app.mjs", 'import "pg"; console.log("app", JSON.stringify(process.argv.slice(2)));');
  write(
    "app.mts",
    'import "pg"; const args: string[] = process.argv.slice(2); console.log("app", JSON.stringify(args));',
  );
  write("first.mjs", 'console.log("first");');
  write(
    "serves.cjs",
    `process.on("message", (word, server) => {
      server?.on("connection", (socket) => socket.end("served"));
      process.on("disconnect", () => server?.close()).send(server ? "serving" : "no server");
    });`,
  );
  write(
    "maps.cjs",
    `process.on("message", (map) => {
      for (let n = 1; n <= 50; n++) process.send(map.set("n", n), n < 50 ? undefined : () => process.exit(3));
    });`,
  );
  write("talks.cjs", 'process.on("message", (word) => { process.send(`heard ${word}`); process.disconnect(); });');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const seen = ({ code, signal, stdout, stderr }: ProgramRun): object => ({
  code,
  signal,
  stdout,
  stderr: programLines(stderr).filter((line) => !line.startsWith("npm warn")),
});

const PROGRAMS: [program: string, signal: NodeJS.Signals | undefined][] = [
  ["exit-code.cjs", undefined],
  ["uncaught.cjs", undefined],
  ["signal-default.cjs", "SIGTERM"],
  ["signal-handled.mjs", "SIGINT"],
  ["worker-threads.mjs", undefined],
];
test.concurrent.each(
  nodes.flatMap(({ version, binary }) => PROGRAMS.map(([program, signal]) => ({ version, binary, program, signal }))),
)("$program ends on Node $version as it does alone", async ({ binary, program, signal }) => {
  const [alone, watched] = await Promise.all([
    runProgram(fixture(`programs/${program}`), { node: binary, signal }),
    runProgram(CLI, { node: binary, signal, env, args: ["run", fixture(`programs/${program}`)] }),
  ]);
  expect(seen(watched)).toEqual(seen(alone));
  expect(telltaleLines(watched.stderr)).toContainEqual(expect.stringContaining(" watches "));
});

const WAYS: [args: string[], stdout: string][] = [
  [["app.cjs", "--help", "-h", "--", "a b"], 'app ["--help","-h","--","a b"]\n'],
  [["./app"], "app []\n"],
  [["--", "app.mjs", "--version"], 'app ["--version"]\n'],
  [["--import", "./first.mjs", "app.mjs"], "first\napp []\n"],
  [["--import", "tsx", "app.mts", "x"], 'app ["x"]\n'],
  [["tsx", "app.mts", "x"], 'app ["x"]\n'],
  [["npm", "run", "--silent", "start", "--", "x"], 'app ["x"]\n'],
  [["node", "app.cjs"], "app []\n"],
];
test.concurrent.each(WAYS)("telltale run %j", async (args, stdout) => {
  const run = await runProgram(CLI, { cwd: folder, env, args: ["run", ...args] });
  expect({ code: run.code, stdout: run.stdout }).toEqual({ code: 0, stdout });
  const lines = telltaleLines(run.stderr);
  expect(lines.filter((line) => line.includes(" watches "))).toHaveLength(1);
  expect(lines).toContainEqual(expect.stringMatching(/pg \S+ loaded and instrumented/));
});

test.each([
  ["a script that names no interpreter", 'echo "$1 of a shell"\nexit 3\n', 3, "x of a shell\n", ""],
  ["one whose interpreter is missing", "#!/no/such/thing\n", 127, "", "telltale: "],
])("telltale run: %s", async (_, text, code, stdout, stderr) => {
  const bin = mkdtempSync(join(tmpdir(), "telltale-run-bin-"));
  writeFileSync(join(bin, "odd-command"), text, { mode: 0o755 });
  const run = await runProgram(CLI, {
    cwd: folder,
    env: { ...env, PATH: `${bin}:${process.env["PATH"]}` },
    args: ["run", "odd-command", "x"],
  });
  rmSync(bin, { recursive: true });
  expect({ code: run.code, signal: run.signal, stdout: run.stdout }).toEqual({ code, signal: null, stdout });
  expect(run.stderr.slice(0, stderr.length)).toBe(stderr);
});

test("telltale run: an executable file that is not for node", async () => {
  writeFileSync(join(folder, "start.sh"), '#!/bin/sh\nexec node app.cjs "$@"\n', { mode: 0o755 });
  const run = await runProgram(CLI, { cwd: folder, env, args: ["run", "./start.sh", "x"] });
  expect({ code: run.code, stdout: run.stdout }).toEqual({ code: 0, stdout: 'app ["x"]\n' });
  expect(telltaleLines(run.stderr)).toContainEqual(expect.stringMatching(/pg \S+ loaded and instrumented/));
});

test("TypeScript without anything, where Node itself strips types", async () => {
  const run = await runProgram(CLI, { cwd: folder, env, args: ["run", "app.mts"] });
  const alone = await runProgram("app.mts", { cwd: folder });
  expect({ code: run.code, stdout: run.stdout }).toEqual({ code: alone.code, stdout: alone.stdout });
});

test("a parent that talks to it talks to the program", async () => {
  const child = fork(CLI, ["run", join(folder, "talks.cjs")], { env: { ...plainEnvironment(), ...env }, silent: true });
  const answer = once(child, "message");
  child.send("hello");
  expect((await answer)[0]).toBe("heard hello");
  expect(await once(child, "exit")).toEqual([0, null]);
});

test.each(nodes)(
  "a parent that talks by structured clones does so with the program, Node $version",
  async ({ binary }) => {
    const options = {
      env: { ...plainEnvironment(), ...env },
      silent: true,
      execPath: binary,
      serialization: "advanced",
    } as const;
    const child = fork(CLI, ["run", join(folder, "maps.cjs")], options);
    const answers: unknown[] = [];
    child.on("message", (answer) => answers.push(answer));
    const big = "x".repeat(200_000);
    child.send(new Map([["a", big]]));
    expect(await once(child, "exit")).toEqual([3, null]);
    const counted = Array.from(
      { length: 50 },
      (_, n) =>
        new Map<string, unknown>([
          ["a", big],
          ["n", n + 1],
        ]),
    );
    await expect.poll(() => answers).toEqual(counted);
  },
);

test("a server that a parent hands to it is served by the program alone", async () => {
  const child = fork(CLI, ["run", join(folder, "serves.cjs")], {
    env: { ...plainEnvironment(), ...env },
    silent: true,
  });
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ready = once(child, "message");
  child.send("serve", server);
  expect((await ready)[0]).toBe("serving");
  server.close();
  const ask = async (): Promise<string> => {
    const socket = connect(port, "127.0.0.1").setTimeout(2_000, () => socket.destroy());
    let text = "";
    socket.setEncoding("utf8").on("data", (part: string) => (text += part));
    await once(socket, "close");
    return text;
  };
  expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(Array.from({ length: 20 }, () => "served"));
  child.disconnect();
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("says what it wants, and leaves it to node to say that there is no such program", async () => {
  expect(await runProgram(CLI, { args: ["run"] })).toMatchObject({ code: 2, stdout: "" });
  const run = await runProgram(CLI, { cwd: folder, env, args: ["run", "missing.js"] });
  expect(run.code).toBe(1);
  expect(run.stderr).toContain("Cannot find module");
});
