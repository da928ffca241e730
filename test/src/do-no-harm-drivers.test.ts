import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { fixture, programLines, type ProgramRun, REGISTER, runProgram } from "./run-program.js";
import { type PostgresServer, type RedisServer, startPostgres, startRedis, testNodes } from "./servers/index.js";

const programs = readdirSync(fixture("drivers"));
const nodes = await testNodes();

describeWith(["postgres", "redis-server"], "programs with drivers behave with the preload as they do alone", () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis({ own: true })]);
  });
  afterAll(async () => {
    await Promise.all([postgres?.stop(), redis?.stop()]);
  });

  const cases = nodes.flatMap(({ version, binary }) => programs.map((program) => [program, version, binary] as const));
  test.each(cases)("%s on Node %s", async (program, _, node) => {
    const env = {
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      OTEL_EXPORTER_PROMETHEUS_PORT: "0",
      OTEL_TRACES_EXPORTER: "otlp",
      TELLTALE_LOG: "silent",
    };
    const [alone, watched] = await Promise.all([
      runProgram(fixture(`drivers/${program}`), { node, env }),
      runProgram(fixture(`drivers/${program}`), { node, env, nodeOptions: ["--require", REGISTER] }),
    ]);
    expect(seen(watched)).toEqual(seen(alone));
  });
});

/** All that others can see of a run, but for numbers that differ from run to run. */
function seen({ code, signal, stdout, stderr }: ProgramRun): object {
  const lines = programLines(stderr)
    .join("\n")
    // Node shows the line of the library that threw; a promise of the pool's is made by the instrumentation then.
    .replace(/^\S+:\d+\n.*\n\s*\^\n/, "")
    .replaceAll(/(processID|secretKey|\[?Symbol\(async_id_symbol\)\]?): -?\d+/g, "$1: N");
  return { code, signal, stdout, stderr: lines };
}
