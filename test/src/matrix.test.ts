import { readFileSync } from "node:fs";
import { styleText } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { libraries } from "../fixtures/matrix/libraries.mjs";
import { describeWith } from "./describe-with.js";
import { fixture, REGISTER, runProgram, telltaleLines } from "./run-program.js";
import {
  startFakeMongod,
  startFakeSqlServer,
  startMariadb,
  startMemcached,
  startPostgres,
  startRedis,
  testNodes,
} from "./servers/index.js";

interface Tried {
  readonly name: string;
  readonly which: "newest" | "oldest";
  readonly version: string;
  readonly heard?: readonly string[];
  readonly failed?: string;
}

const nodes = await testNodes();
const SYSTEMS = { CJS: "app.cjs", ESM: "app.mjs" };
const columns = nodes.flatMap(({ version, binary }) =>
  Object.entries(SYSTEMS).map(([system, program]) => ({ system, program, binary, column: `${system} ${version}` })),
);
const table = new Map<string, Map<string, string>>();

describeWith(["postgres", "redis-server", "mariadb", "memcached"], "every library, oldest and newest", () => {
  const stops: (() => unknown)[] = [];
  let env: Record<string, string> = {};
  beforeAll(async () => {
    const servers = await Promise.all([startPostgres(), startRedis({ own: true }), startMariadb(), startMemcached()]);
    // Of these two there are stand-ins only.
    const fakes = await Promise.all([startFakeMongod(), startFakeSqlServer()]);
    stops.push(...servers.map((server) => () => server.stop()), ...fakes.map((fake) => () => fake.close()));
    const [postgres, redis, mariadb, memcached] = servers;
    const [mongod, sqlServer] = fakes;
    env = {
      SERVERS: JSON.stringify({
        postgres: postgres.url,
        redis: redis.url,
        mariadb: mariadb.url,
        memcached: memcached.address,
        mongod: `mongodb://127.0.0.1:${mongod.port}`,
        sqlServer: `mssql://127.0.0.1:${sqlServer.port}`,
      }),
      OTEL_TRACES_EXPORTER: "none",
      OTEL_EXPORTER_PROMETHEUS_PORT: "0",
    };
  });
  afterAll(async () => {
    await Promise.all(stops.map((stop) => stop()));
    console.log(draw());
  });

  test.each(columns)("is heard, or named in one line: $column", async ({ program, binary, column }) => {
    const run = await runProgram(fixture(`matrix/${program}`), {
      node: binary,
      nodeOptions: ["--experimental-import-meta-resolve", "--require", REGISTER],
      env,
      timeoutMs: 60_000,
    });
    const tried = run.stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Tried);
    const lines = telltaleLines(run.stderr);
    for (const one of tried) {
      const row = `${one.name} ${one.version}`;
      const cells = table.get(row) ?? new Map<string, string>();
      table.set(row, cells.set(column, outcomeOf(one, lines)));
    }
    const expected = libraries.flatMap(({ name, copies = { newest: name, oldest: name } }) =>
      Object.keys(copies).map((which) => `${name} ${which}`),
    );
    expect(
      tried.map(({ name, which }) => `${name} ${which}`),
      run.stderr,
    ).toEqual(expected);
    expect(
      tried.filter((one) => !["heard", "one line"].includes(outcomeOf(one, lines))),
      run.stderr,
    ).toEqual([]);
    expect(run.code).toBe(0);
  });
});

/** What others bring along, or has tests of its own for its releases. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  router: "express",
  next: "packages/instrumentation-http/test/next.test.ts",
  "pg-pool": "pg",
  "@redis/client": "redis",
};

test("every library of docs/libraries.md is tried here, or it is said where", () => {
  const page = readFileSync(new URL("../../docs/libraries.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `\w[\w-]*` +\| `([^`]+)`.*\| both +\|/gm)].map(([, name = ""]) => name);
  const tried = new Set<string>(libraries.map(({ name }) => name));
  const isTried = (name: string): boolean => tried.has(name) || tried.has(name.replace("node:", ""));
  expect(rows.filter((name) => !isTried(name))).toEqual(Object.keys(ELSEWHERE));
});

function outcomeOf({ name, version, heard, failed }: Tried, lines: readonly string[]): string {
  const expected = libraries.find((library) => library.name === name)?.heard;
  if (failed !== undefined) return "failed";
  if (expected === undefined) {
    const about = lines.filter((line) => line.includes(`${name} ${version} is not instrumented`));
    return about.length === 1 && heard?.length === 0 ? "one line" : "no line";
  }
  return JSON.stringify(heard) === JSON.stringify(expected) ? "heard" : "not heard";
}

function draw(): string {
  const names = columns.map(({ column }) => column);
  const width = Math.max(...[...table.keys()].map(({ length }) => length));
  const head = [" ".repeat(width), ...names].join("  ");
  const rows = [...table].map(([row, cells]) =>
    [row.padEnd(width), ...names.map((name) => paint(cells.get(name) ?? "", name.length))].join("  "),
  );
  return `\n${[head, ...rows].join("\n")}\n`;
}

function paint(outcome: string, width: number): string {
  const colour = outcome === "heard" ? "green" : outcome === "one line" ? "yellow" : "red";
  return styleText(colour, outcome.padEnd(width));
}
