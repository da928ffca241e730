import { readdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, programLines, REGISTER, runProgram, telltaleLines } from "./run-program.js";
import { testNodes } from "./servers/index.js";

const programs = readdirSync(fixture("programs"));
const preload = { "--require": ["--require", REGISTER], "--import": ["--import", REGISTER] };
/** A machine under load adds this much by itself; the flush may hold a process for 500 ms while nobody has answered yet. */
const SLACK_MS = 1_500;

type Collector = { url: string; close(): void };
const collectors: Record<string, () => Promise<Collector>> = {
  dead: async () => {
    const server = await listen(createServer());
    server.close();
    return { url: server.url, close() {} };
  },
  hanging: () => listen(createServer(() => {})),
  slow: () => listen(createHttpServer((request, response) => void setTimeout(() => response.end(), 3_000))),
  erroring: () => listen(createHttpServer((request, response) => void response.writeHead(500).end("no"))),
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

describe.each(await testNodes())("Node $version: a program behaves with the preload as it does alone", ({ binary }) => {
  describe.each(Object.keys(collectors))("with a collector that is %s", (kind) => {
    let collector: Collector;
    beforeAll(async () => {
      collector = await (collectors[kind] as () => Promise<Collector>)();
    });
    afterAll(() => collector.close());

    const signals = (program: string) =>
      program.startsWith("signal") ? (["SIGTERM", "SIGINT"] as const) : [undefined];
    const cases = programs.flatMap((program) => signals(program).map((signal) => [program, signal] as const));

    test.concurrent.each(cases)("%s %s", { timeout: 60_000 }, async (program, signal) => {
      const flags = program.endsWith(".mjs") ? preload["--import"] : preload["--require"];
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_PROMETHEUS_PORT: "0" };
      const alone = await runProgram(fixture(`programs/${program}`), { node: binary, env, signal });
      const watched = await runProgram(fixture(`programs/${program}`), {
        node: binary,
        env,
        signal,
        nodeOptions: flags,
      });
      expect({ ...watched, stderr: programLines(watched.stderr), endMs: 0 }).toEqual({
        ...alone,
        stderr: programLines(alone.stderr),
        endMs: 0,
      });
      expect(watched.endMs).toBeLessThan(alone.endMs + SLACK_MS);
      const complaints = telltaleLines(watched.stderr).filter((line) => !line.includes(" watches "));
      const perProcess = program === "cluster.cjs" ? 3 : 1;
      expect(complaints.length, complaints.join("\n")).toBeLessThanOrEqual(kind === "working" ? 0 : perProcess);
      for (const complaint of complaints) expect(complaint).toContain("cannot deliver traces");
    });
  });
});
