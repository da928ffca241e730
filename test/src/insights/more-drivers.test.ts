import { createRequire } from "node:module";
import { createInsights, type Insights } from "@telltale/insights";
import { mariadbInstrumentation } from "@telltale/instrumentation-mariadb";
import { postgresInstrumentation } from "@telltale/instrumentation-postgres";
import { collect, type Collection } from "@telltale/testkit";
import type { Pool } from "mariadb";
import type { Sql } from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { serve } from "../requests.js";
import { type MariadbServer, type PostgresServer, startMariadb, startPostgres } from "../servers/index.js";

const instrumentations = [mariadbInstrumentation(), postgresInstrumentation()];
for (const instrumentation of instrumentations) instrumentation.enable();
const require = createRequire(import.meta.url);
const mariadb = require("mariadb") as typeof import("mariadb");
const postgres = require("postgres") as typeof import("postgres");

const THRESHOLD_MS = 100;
const IDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

describeWith(["mariadb", "postgres"], "findings with mariadb and postgres.js", () => {
  let servers: [MariadbServer, PostgresServer];
  let pool: Pool;
  let sql: Sql;
  let insights: Insights;
  let collected: Collection;
  beforeAll(async () => {
    servers = await Promise.all([startMariadb(), startPostgres()]);
    insights = createInsights({ slowQueryMs: THRESHOLD_MS, eventLoop: { blockMs: 0 } });
    collected = collect([insights]);
    const [{ host, port, user, password, database }, { url }] = servers;
    pool = mariadb.createPool({ host, port, user, password, database, connectionLimit: 2 });
    sql = postgres(url, { max: 2 });
    const create = "CREATE TABLE items (id int PRIMARY KEY, price int)";
    await Promise.all([pool.query(create), sql.unsafe(create)]);
  });
  beforeEach(() => collected.reset());
  afterAll(async () => {
    await Promise.all([pool?.end(), sql?.end()]);
    insights.stop();
    collected.stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
    await Promise.all(servers.map((server) => server.stop()));
  });

  const asMany = async (run: (id: number) => Promise<unknown>): Promise<void> => {
    for (const id of IDS) await run(id);
  };
  describe.each([
    {
      driver: "mariadb",
      one: (id: number): Promise<unknown> => pool.query("SELECT price, SLEEP(0.003) FROM items WHERE id = ?", [id]),
      many: (): Promise<unknown> => pool.query("SELECT price, SLEEP(0.003) FROM items WHERE id IN (?)", [IDS]),
      slow: (): Promise<unknown> => pool.query("SELECT SLEEP(?)", [0.15]),
    },
    {
      driver: "postgres.js",
      one: async (id: number): Promise<unknown> => await sql`SELECT price, pg_sleep(0.003) FROM items WHERE id = ${id}`,
      many: async (): Promise<unknown> => await sql`SELECT price, pg_sleep(0.003) FROM items WHERE id IN ${sql(IDS)}`,
      slow: async (): Promise<unknown> => await sql`SELECT pg_sleep(${0.15}::float)`,
    },
  ])("$driver", ({ one, many, slow }) => {
    const works: [string, () => Promise<unknown>, string[]][] = [
      ["a query in a loop", () => asMany(one), ["n_plus_one"]],
      ["one for all", () => asMany(many), []],
      ["a slow one", () => slow(), ["slow_query"]],
    ];
    test.each(works)("%s", async (name, work, kinds) => {
      await serve(`/${name}`, work);
      expect(collected.findings.map(({ kind }) => kind)).toEqual(kinds);
    });

    test("after the first finding, the next one says where in the app's code", async () => {
      for (let n = 0; n < 2; n += 1) await serve("/where", () => asMany(one));
      const calls = collected.operations.filter((operation) => operation.kind === "database");
      const sites = () => calls.flatMap(({ site }) => (site === undefined ? [] : [site.file]));
      await expect.poll(sites).toContain(import.meta.filename);
    });
  });
});
