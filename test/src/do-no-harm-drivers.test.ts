import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { fixture, programLines, type ProgramRun, REGISTER, runProgram, telltaleLines } from "./run-program.js";
import {
  type MariadbServer,
  type MemcachedServer,
  type PostgresServer,
  type RedisServer,
  startFakeMongod,
  startFakeSqlServer,
  startMariadb,
  startMemcached,
  startPostgres,
  startRedis,
  testNodes,
} from "./servers/index.js";

const nodes = await testNodes();
const programs = readdirSync(fixture("drivers"));
const casesOf = (isOne: (program: string) => boolean) =>
  nodes.flatMap(({ version, binary }) => programs.filter(isOne).map((program) => [program, version, binary] as const));
const isMemcached = (program: string): boolean => program.startsWith("mem");
const isMysql = (program: string): boolean => /^(?:mysql2|mariadb)-/.test(program);
const isMongo = (program: string): boolean => program.startsWith("mongodb-");
const isMssql = (program: string): boolean => program.startsWith("mssql-");

describeWith(["postgres", "redis-server"], "programs with drivers behave with the preload as they do alone", () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis({ own: true })]);
  });
  afterAll(async () => {
    await Promise.all([postgres?.stop(), redis?.stop()]);
  });

  test.each(casesOf((program) => ![isMysql, isMemcached, isMongo, isMssql].some((isOne) => isOne(program))))(
    "%s on Node %s",
    async (program, _, node) => {
      await compare(program, node, { DATABASE_URL: postgres.url, REDIS_URL: redis.url });
    },
  );
});

describeWith(["mariadb"], "programs with mysql2 and mariadb behave with the preload as they do alone", () => {
  let mariadb: MariadbServer;
  beforeAll(async () => {
    mariadb = await startMariadb();
  });
  afterAll(() => mariadb?.stop());

  test.each(casesOf(isMysql))("%s on Node %s", async (program, _, node) => {
    await compare(program, node, { MYSQL_URL: mariadb.url });
  });
});

describeWith(["memcached"], "programs with clients of Memcached behave with the preload as they do alone", () => {
  // One for each, as one of the programs empties it.
  let servers: MemcachedServer[] = [];
  beforeAll(async () => {
    servers = await Promise.all([startMemcached(), startMemcached()]);
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  test.each(casesOf(isMemcached))("%s on Node %s", async (program, _, node) => {
    const [alone, watched] = servers.map(({ address }) => ({ MEMCACHED: address }));
    await compare(program, node, { ...alone }, watched);
  });
});

describe("programs behave with the preload as they do alone, with what is no MongoDB and no SQL Server", () => {
  test.each(casesOf(isMongo))("%s on Node %s", async (program, _, node) => {
    const mongod = await startFakeMongod();
    try {
      await compare(program, node, { MONGODB_URL: `mongodb://127.0.0.1:${mongod.port}/` });
    } finally {
      mongod.close();
    }
  });

  test.each(casesOf(isMssql))("%s on Node %s", async (program, _, node) => {
    const server = await startFakeSqlServer();
    try {
      await compare(program, node, { MSSQL_URL: `mssql://127.0.0.1:${server.port}` });
    } finally {
      server.close();
    }
  });
});

test("a method without its object fails as it does alone, and that is no failure of ours", async () => {
  const program = fixture("methods-without-their-object.cjs");
  const [alone, watched] = await Promise.all([
    runProgram(program),
    runProgram(program, { env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0" }, nodeOptions: ["--require", REGISTER] }),
  ]);
  expect(alone.stdout.split("\n").filter((line) => line.includes(" rejected TypeError: ")).length).toBeGreaterThan(50);
  expect(seen(watched)).toEqual(seen(alone));
  expect(telltaleLines(watched.stderr).filter((line) => line.includes("failed"))).toEqual([]);
});

async function compare(
  program: string,
  node: string,
  servers: Record<string, string>,
  others = servers,
): Promise<void> {
  const env = {
    ...servers,
    OTEL_EXPORTER_PROMETHEUS_PORT: "0",
    OTEL_TRACES_EXPORTER: "otlp",
    TELLTALE_LOG: "silent",
  };
  const [alone, watched] = await Promise.all([
    runProgram(fixture(`drivers/${program}`), { node, env }),
    runProgram(fixture(`drivers/${program}`), {
      node,
      env: { ...env, ...others },
      nodeOptions: ["--require", REGISTER],
    }),
  ]);
  expect(seen(watched)).toEqual(seen(alone));
}

/** All that others can see of a run, but for numbers that differ from run to run. */
function seen({ code, signal, stdout, stderr }: ProgramRun): object {
  const lines = programLines(stderr)
    .join("\n")
    // Node shows the line of the library that threw; a promise of the pool's is made by the instrumentation then.
    .replace(/^\S+:\d+\n.*\n\s*\^\n/, "")
    // Node leaves frames out that come twice, in runs of three and more: how many do is no matter of the program's.
    .replaceAll(/^ *\[\.\.\. lines matching original stack trace \.\.\.\]\n/gm, "")
    .replaceAll(/\(conn:\d+/g, "(conn:N")
    .replaceAll(/(processID|secretKey|\[?Symbol\(async_id_symbol\)\]?): -?\d+/g, "$1: N");
  return { code, signal, stdout, stderr: lines };
}
