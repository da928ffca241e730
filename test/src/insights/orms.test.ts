import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { addListener, allPools, type DatabaseOperation, type Finding, readPools, takeAllSites } from "@telltale/core";
import { createInsights } from "@telltale/insights";
import { expressInstrumentation, httpInstrumentation } from "@telltale/instrumentation-http";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { sequelizePoolInstrumentation, tarnInstrumentation } from "@telltale/instrumentation-pools";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Pool } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { type PostgresServer, startPostgres } from "../servers/index.js";
import { type Case, scoreKind, scoreSources } from "./repeat-scores.js";
import { loop } from "./repeat-works.js";
import { score } from "./scoreboard.js";

const instrumentations = [
  httpInstrumentation(),
  expressInstrumentation(),
  pgInstrumentation(),
  tarnInstrumentation(),
  sequelizePoolInstrumentation(),
];
for (const instrumentation of instrumentations) instrumentation.enable();
const require = createRequire(import.meta.url);
const { Pool: AdminPool } = require("pg") as typeof import("pg");
const express = require("express") as () => Express;

interface Express {
  (request: unknown, response: unknown): void;
  get(path: string, handler: (request: unknown, response: { end(text: string): void }) => unknown): void;
}

/** What the programs in `.orms` do: the same with each ORM. */
type Task = "one" | "lazy" | "eager" | "transaction";
type App = Readonly<Record<Task | "close", () => Promise<unknown>>>;

/** Statements that reach the server for each task, once there is a connection. */
const STATEMENTS = {
  prisma: { one: 1, lazy: 13, eager: 2, transaction: 3 },
  drizzle: { one: 1, lazy: 13, eager: 1, transaction: 3 },
  typeorm: { one: 1, lazy: 13, eager: 1, transaction: 3 },
  sequelize: { one: 1, lazy: 13, eager: 1, transaction: 3 },
  knex: { one: 1, lazy: 13, eager: 2, transaction: 3 },
  "mikro-orm": { one: 1, lazy: 13, eager: 2, transaction: 3 },
} as const;
type Orm = keyof typeof STATEMENTS;
const ORMS = Object.keys(STATEMENTS) as Orm[];
const fileOf = (orm: Orm): string =>
  fileURLToPath(new URL(`../../../.orms/${orm}.${orm === "mikro-orm" ? "mjs" : "cjs"}`, import.meta.url));

/**
 * Where no stack leads to the caller. drizzle calls the driver when its builder is awaited, in a job of V8's that does not know who awaits it;
 * with `execute()`, as in its transaction, the app calls. Two wait for the promise of a lazy relation of TypeORM's, the app and TypeORM itself;
 * and Prisma's transactions do as drizzle does.
 */
const UNSITED: ReadonlySet<string> = new Set([
  "drizzle one",
  "drizzle lazy",
  "drizzle eager",
  "typeorm lazy",
  "prisma transaction",
]);

/** The line of an ORM's program that has a mark. */
function lineOf(orm: Orm, mark: string): number {
  const lines = readFileSync(fileOf(orm), "utf8").split("\n");
  return lines.findIndex((line) => line.endsWith(`// ${mark}`)) + 1;
}

/** Prisma names the schema, too. */
const tableIn = (orm: Orm, table: string): string => (orm === "prisma" ? `"public"."${table}"` : `"${table}"`);

describeWith(["postgres"], "ORMs and query builders", () => {
  let server: PostgresServer;
  let admin: Pool;
  let collected: Collection;
  const http = express();
  const listening = createServer((request, response) => void http(request, response));
  const insights = createInsights({ nPlusOne: { minTotalMs: 0 } });
  const apps = new Map<Orm, App>();
  const cases: Case[] = ORMS.flatMap((orm) =>
    (["one", "lazy", "eager", "transaction"] as const).map((task) => ({
      name: `${orm} ${task}`,
      route: `/${orm}/${task}`,
      run: async () => apps.get(orm)?.[task](),
      truths:
        task === "lazy"
          ? [loop(`SELECT ${tableIn(orm, "books")}`, { source: `SELECT ${tableIn(orm, "authors")}` })]
          : [],
    })),
  );

  beforeAll(async () => {
    server = await startPostgres({ settings: { shared_preload_libraries: "pg_stat_statements" } });
    admin = new AdminPool({ connectionString: server.url, application_name: "admin", max: 1 });
    await admin.query(`
      CREATE EXTENSION pg_stat_statements;
      CREATE TABLE authors (id serial PRIMARY KEY, name text NOT NULL);
      CREATE TABLE books (id serial PRIMARY KEY, title text NOT NULL, author_id int REFERENCES authors);
      INSERT INTO authors (name) SELECT 'author ' || n FROM generate_series(1, 12) n;
      INSERT INTO books (title, author_id) SELECT 'book ' || n, (n + 2) / 3 FROM generate_series(1, 36) n;`);
    collected = collect([insights]);
    for (const { route, run } of cases) {
      http.get(route, async (_, response) => {
        await run().then(
          () => response.end("ok"),
          (error: unknown) => response.end(String(error)),
        );
      });
    }
    listening.listen(0, "127.0.0.1");
    await once(listening, "listening");
    for (const orm of ORMS) {
      const { open } = (await import(fileOf(orm))) as { open(url: string): Promise<App> };
      apps.set(orm, await open(server.url));
      // The first connection, with what the ORM asks there.
      await apps.get(orm)?.one();
    }
  });
  afterAll(async () => {
    for (const app of apps.values()) await app.close();
    listening.closeAllConnections();
    listening.close();
    await admin?.end();
    insights.stop();
    collected?.stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
    await server?.stop();
  });
  beforeEach(() => collected.reset());

  async function serve(routes: readonly string[]): Promise<Finding[]> {
    collected.reset();
    const { port } = listening.address() as AddressInfo;
    for (const route of routes) {
      const answer = await fetch(`http://127.0.0.1:${port}${route}`);
      expect([route, await answer.text()]).toEqual([route, "ok"]);
    }
    const served = (): number => collected.operations.filter(({ kind }) => kind === "http.server").length;
    await waitFor(() => served() >= routes.length, "the requests to end");
    return collected.findings.filter(({ kind }) => kind === "n_plus_one" || kind === "duplicate_query");
  }
  const queries = (): DatabaseOperation[] =>
    collected.operations.filter((one): one is DatabaseOperation => one.kind === "database");

  test("lazy loading is found, eager loading is not; it is told where, from the second time on", async () => {
    const routes = cases.map(({ route }) => route);
    const first = await serve(routes);
    expect(scoreKind("n_plus_one", cases, first, "n_plus_one (ORMs)").wrong).toEqual([]);
    expect(scoreSources("source of a loop (ORMs)", cases, first)).toMatchObject({ missed: [], falseAlarms: [] });
    expect(first.filter(({ kind }) => kind === "duplicate_query")).toEqual([]);

    const lazy = cases.filter(({ name }) => name.endsWith(" lazy"));
    const lazyRoutes = lazy.map(({ route }) => route);
    let found: string[] = [];
    // Once more where the source map of a program was still being looked for.
    for (let n = 0; n < 5 && found.length < lazy.length - 2; n++) {
      found = (await serve(lazyRoutes)).flatMap(({ route, callSite }) => {
        const { name } = lazy.find((one) => one.route === route) ?? { name: "" };
        if (callSite === undefined) return [];
        const orm = name.slice(0, -" lazy".length) as Orm;
        const isRight = callSite.file === fileOf(orm) && callSite.line === lineOf(orm, "lazy");
        return [isRight ? name : `${name}: ${callSite.file}:${callSite.line}`];
      });
    }
    const names = lazy.map(({ name }) => name);
    const { missed, falseAlarms } = score("site of a loop (ORMs)", names, found);
    expect({ missed, falseAlarms }).toEqual({
      missed: names.filter((name) => UNSITED.has(name)),
      falseAlarms: [],
    });
  });

  describe.each(ORMS)("%s", (orm) => {
    test.each(Object.entries(STATEMENTS[orm]))(
      "%s: one span for each of the server's statements",
      async (task, all) => {
        await admin.query("SELECT pg_stat_statements_reset()");
        const stop = takeAllSites();
        await serve([`/${orm}/${task}`]);
        stop();
        const own = "query NOT LIKE '%pg_stat_statements%'";
        const { rows } = await admin.query(`SELECT sum(calls)::int AS calls FROM pg_stat_statements WHERE ${own}`);
        expect(rows).toEqual([{ calls: all }]);

        const request = collected.spans.find(({ name }) => name.startsWith(`GET /${orm}`));
        const heard = queries().filter(({ request: one }) => one !== undefined);
        const below = collected.spans.filter(
          ({ parentSpanContext: parent }) => parent?.spanId === request?.spanContext().spanId,
        );
        expect([heard.length, below.length]).toEqual([all, all]);

        // Not of the calls with which the ORM begins and ends a transaction: who has called them is this file.
        const asked = heard.filter(({ template }) => !/^(BEGIN|START|COMMIT)/.test(template.operationName ?? ""));
        const sites = () => asked.flatMap(({ takenSite }) => takenSite?.resolve() ?? []);
        if (UNSITED.has(`${orm} ${task}`)) {
          // Nowhere else, either: in a loop, its source has one.
          expect(sites().filter(({ line }) => task !== "lazy" || line !== lineOf(orm, task) - 1)).toEqual([]);
          return;
        }
        await waitFor(() => sites().some(({ line }) => line === lineOf(orm, task)), "source maps to be looked for");
        expect(new Set(sites().map(({ file }) => file))).toEqual(new Set([fileOf(orm)]));
      },
    );
  });

  test("who holds a connection, and what runs there, is known in each ORM's pool", async () => {
    const held: [string | undefined, boolean][] = [];
    const stop = addListener({
      name: "test",
      operationEnded(operation) {
        if (operation.kind !== "database" || operation.template.operationName !== "UPDATE") return;
        const pool = [...allPools()].find(({ name }) => name === operation.template.poolName);
        const { request, template, isUnseen } = pool?.loans.first ?? {};
        held.push([request?.route, template === operation.template && isUnseen === false]);
      },
    });
    const routes = ORMS.map((orm) => `/${orm}/transaction`);
    await serve(routes);
    stop();
    expect(held).toEqual(routes.map((route) => [route, true]));
  });

  test("each has one pool: as large as it was made, with the connections that the server has", async () => {
    const connections = async (): Promise<number> => {
      const { rows } = await admin.query(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'admin'",
      );
      return (rows as { n: number }[])[0]?.n ?? NaN;
    };
    const name = `127.0.0.1:${server.port}/${server.database}`;
    const read = () => readPools().filter(({ reading }) => reading.limit === 3);
    await Promise.all(ORMS.flatMap((orm) => Array.from({ length: 9 }, () => apps.get(orm)?.one())));
    expect(read().map(({ pool, reading }) => [pool.name.replace(/#\d$/, ""), pool.system, reading.used])).toEqual(
      ORMS.map(() => [name, "postgresql", 0]),
    );
    const open = (): number => read().reduce((sum, { reading }) => sum + reading.used + reading.idle, 0);
    expect(open()).toBeGreaterThan(ORMS.length);
    // One that is still being opened is the server's already.
    await expect.poll(async () => open() - (await connections())).toBe(0);
    // What runs names the pool that it runs in.
    const named = new Set(queries().map(({ template }) => template.poolName));
    for (const { pool } of read()) expect(named).toContain(pool.name);

    for (const app of apps.values()) await app.close();
    apps.clear();
    expect(read()).toEqual([]);
  });
});
