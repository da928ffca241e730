import { readdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, programLines, type ProgramRun, REGISTER, runProgram, telltaleLines } from "./run-program.js";
import { testNodes } from "./servers/index.js";

const programs = readdirSync(fixture("programs"));
const preload = { "--require": ["--require", REGISTER], "--import": ["--import", REGISTER] };
/** Loading the preload, and a machine under load; the flush itself may hold a process for 500 ms while nobody has answered. */
const SLACK_MS = 2_500;

type Collector = { url: string; close(): void };
const collectors: Record<string, () => Promise<Collector>> = {
  dead: async () => {
    const server = await listen(createServer());
    server.close();
    return { url: server.url, close() {} };
  },
  hanging: () => listen(createServer(() => {})),
  slow: () => listen(createHttpServer((_, response) => void setTimeout(() => response.end(), 3_000))),
  erroring: () => listen(createHttpServer((_, response) => void response.writeHead(500).end("no"))),
  resetting: () => listen(createServer((socket) => socket.resetAndDestroy())),
  working: () => listen(createHttpServer((request, response) => void request.resume().on("end", () => response.end()))),
};

async function listen(server: Server): Promise<Collector & { close(): void }> {
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Programs that show whether the end waits for the collector; the others meet one that works and one that is dead. */
const ENDINGS = new Set(["exit-code-property.mjs", "signal-default.cjs", "signal-handled.mjs", "worker-threads.mjs"]);

/** Programs that end at once, by process.exit() or an error, with spans that nobody had time to send. */
const LOSING = new Set(["exit-code.cjs", "client-error.mjs"]);

describe.each(await testNodes())("Node $version: a program behaves with the preload as it does alone", ({ binary }) => {
  const runsAlone = new Map<string, Promise<ProgramRun>>();
  const runAlone = (program: string, signal: NodeJS.Signals | undefined): Promise<ProgramRun> => {
    const key = `${program} ${signal}`;
    const known = runsAlone.get(key) ?? runProgram(fixture(`programs/${program}`), { node: binary, signal });
    runsAlone.set(key, known);
    return known;
  };

  test("a recursion that sends requests until the stack is full ends in an error that it can catch", async () => {
    const program = fixture("deep-recursion.cjs");
    const options = { node: binary, env: { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" } };
    const alone = await runProgram(program, options);
    const watched = await runProgram(program, { ...options, nodeOptions: preload["--require"] });
    expect({ code: watched.code, stdout: watched.stdout }).toEqual({ code: alone.code, stdout: alone.stdout });
    expect(alone.stdout).toBe("500 Maximum call stack size exceeded\n".repeat(12));
  });

  describe.each(Object.keys(collectors))("with a collector that is %s", (kind) => {
    let collector: Collector;
    beforeAll(async () => {
      collector = await (collectors[kind] as () => Promise<Collector>)();
    });
    afterAll(() => collector.close());

    const chosen =
      kind === "working" || kind === "dead" ? programs : programs.filter((program) => ENDINGS.has(program));
    const signals = (program: string) =>
      program.startsWith("signal") ? (["SIGTERM", "SIGINT"] as const) : [undefined];
    const cases = chosen.flatMap((program) => signals(program).map((signal) => [program, signal] as const));

    test.each(cases)("%s %s", async (program, signal) => {
      const flags = program.endsWith(".mjs") ? preload["--import"] : preload["--require"];
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_PROMETHEUS_PORT: "0" };
      const alone = await runAlone(program, signal);
      const watched = await runProgram(fixture(`programs/${program}`), {
        node: binary,
        env,
        signal,
        nodeOptions: flags,
      });
      expect(behaviour(watched)).toEqual(behaviour(alone));
      expect(watched.endMs).toBeLessThan(alone.endMs + SLACK_MS);
      const said = telltaleLines(watched.stderr).filter((line) => !line.includes(" watches "));
      const complaints = said.filter((line) => !/spans? (is|are) lost/.test(line));
      expect(said.length - complaints.length, said.join("\n")).toBe(LOSING.has(program) ? 1 : 0);
      const perProcess = program === "cluster.cjs" ? 3 : 1;
      expect(complaints.length, complaints.join("\n")).toBeLessThanOrEqual(kind === "working" ? 0 : perProcess);
      for (const complaint of complaints) expect(complaint).toContain("cannot deliver traces");
    });
  });
});

/** All that others can see of a run; ports are the system's choice. */
function behaviour({ code, signal, stdout, stderr }: ProgramRun): object {
  const lines = programLines(stderr).map((line) => line.replace(/(127\.0\.0\.1:|port: )\d+/, "$1PORT"));
  return { code, signal, stdout, stderr: lines };
}
