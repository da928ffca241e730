import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawTrace, type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import { telltaleEsbuild, telltaleRollup, telltaleWebpack } from "telltale/bundler";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { fixture, REGISTER, runProgram, telltaleLines } from "./run-program.js";
import { type PostgresServer, type RedisServer, startPostgres, startRedis } from "./servers/index.js";
import { startProgram } from "./start-program.js";

const require = createRequire(import.meta.url);
const { Client } = require("pg") as typeof import("pg");
const esbuild = require("esbuild") as typeof import("esbuild");
const { webpack } = require("webpack") as typeof import("webpack");
const external = ["pg-native"];

let folder = "";
beforeAll(() => {
  // In here the libraries are found, by their names.
  folder = mkdtempSync(fileURLToPath(new URL("../../node_modules/.telltale-bundlers-", import.meta.url)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Each makes one file of CommonJS of a program, and all libraries are part of it. */
const BUNDLERS: Readonly<Record<string, (entry: string, file: string) => Promise<unknown>>> = {
  esbuild: (entry, file) =>
    esbuild.build({
      entryPoints: [entry],
      outfile: join(folder, file),
      bundle: true,
      minify: true,
      platform: "node",
      external,
      plugins: [telltaleEsbuild()],
    }),
  webpack: (entry, filename) =>
    new Promise((resolve, reject) => {
      webpack(
        {
          mode: "none",
          target: "node",
          entry,
          output: { path: folder, filename },
          externals: { "pg-native": "commonjs pg-native" },
          plugins: [telltaleWebpack()],
        },
        (error, stats) => {
          if (error !== null || stats?.hasErrors()) reject(error ?? new Error(stats?.toString("errors-only")));
          else resolve(stats);
        },
      );
    }),
  /** Its builds are Rolldown's, which takes the plugins of Rollup. */
  async vite(ssr, file) {
    const { build } = (await import(require.resolve("vite"))) as typeof import("vite");
    await build({
      root: folder,
      configFile: false,
      logLevel: "silent",
      ssr: { noExternal: true, external },
      plugins: [telltaleRollup()],
      build: {
        ssr,
        outDir: folder,
        emptyOutDir: false,
        rolldownOptions: { output: { format: "cjs", entryFileNames: file, codeSplitting: false } },
      },
    });
  },
};

describeWith(["postgres", "redis-server"], "a service of which a bundler has made one file", () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis({ own: true })]);
    const client = new Client(postgres.url);
    await client.connect();
    await client.query("CREATE TABLE orders AS SELECT id, id * 10 AS total FROM generate_series(1, 100) id");
    await client.end();
  });
  afterAll(() => Promise.all([postgres?.stop(), redis?.stop()]));

  async function traceOf(program: string, id: number): Promise<string> {
    let receiver: OtlpReceiver | undefined;
    const service = await startOtlpReceiver().then((started) => {
      receiver = started;
      return startProgram(program, {
        env: {
          DATABASE_URL: postgres.url,
          REDIS_URL: redis.url,
          OTEL_TRACES_EXPORTER: "otlp",
          OTEL_EXPORTER_OTLP_ENDPOINT: started.url,
          OTEL_EXPORTER_PROMETHEUS_PORT: "0",
          OTEL_BSP_SCHEDULE_DELAY: "20",
        },
      });
    });
    try {
      const [[, port] = []] = await service.said(/listening on (\d+)/, 1);
      const answer = await fetch(`http://127.0.0.1:${port}/orders/${id}`);
      expect(await answer.json()).toEqual({ id, total: id * 10 });
      await receiver?.waitForSpans((spans) => spans.some(({ kind }) => kind === "server"));
      expect(service.stderr()).not.toContain("bundled into");
      return drawTrace(receiver?.spans ?? []);
    } finally {
      await service.kill();
      await receiver?.close();
    }
  }

  test.concurrent.each(Object.entries(BUNDLERS))("%s", { timeout: 60_000 }, async (name, bundle) => {
    await bundle(fixture("service/app.cjs"), `${name}.cjs`);
    expect(await traceOf(join(folder, `${name}.cjs`), Object.keys(BUNDLERS).indexOf(name) + 1)).toBe(
      ["GET /orders/:id", "  GET", "  SELECT orders", "  SET"].join("\n"),
    );
  });
});

/** Those that are ES modules, those that drop what nobody imports, and those of which Telltale needs inner files. */
const LIBRARIES: readonly (readonly [statement: string, ...patched: string[]])[] = [
  ['export { server } from "@hapi/hapi"', "@hapi/hapi"],
  ['export { Hono } from "hono"', "hono"],
  ['export { Keyv } from "keyv-newest"', "keyv"],
  ['export { Router } from "@koa/router"', "@koa/router"],
  ['export { MongoClient } from "mongodb"', "mongodb"],
  ['export { createPool } from "mysql2/promise"', "mysql2"],
  ['export { createClient } from "redis"', "redis", "@redis/client"],
  ['export { Pool } from "pg"', "pg", "pg-pool"],
];

test("named imports, inner files, and a Telltale that starts when they have loaded", async () => {
  const entry = join(folder, "libraries.mjs");
  const start = `import { createRequire } from "node:module";\ncreateRequire(${JSON.stringify(REGISTER)})(${JSON.stringify(REGISTER)});`;
  writeFileSync(entry, [...LIBRARIES.map(([statement]) => statement), start].join(";\n"));
  await BUNDLERS["esbuild"]?.(entry, "libraries.cjs");
  const { code, stderr } = await runProgram(join(folder, "libraries.cjs"), {
    env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0", OTEL_TRACES_EXPORTER: "none", TELLTALE_LOG: "debug" },
  });
  expect(code).toBe(0);
  const lines = telltaleLines(stderr);
  const patched = lines.map((line) => /(\S+) \S+ loaded and instrumented/.exec(line)?.[1]);
  expect(patched.filter((name) => name !== undefined).toSorted()).toEqual(
    LIBRARIES.flatMap(([, ...names]) => names).toSorted(),
  );
  expect(lines).toHaveLength(patched.filter((name) => name !== undefined).length + 1);
});
