import { createRequire } from "node:module";
import { addListener, type DatabaseOperation } from "@telltale/core";
import { createInsights } from "@telltale/insights";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { type PostgresServer, startPostgres } from "./servers/index.js";

const instrumentation = pgInstrumentation();
instrumentation.enable();
const pg = createRequire(import.meta.url)("pg") as typeof import("pg");

const THRESHOLD_MS = 100;

describeWith(["postgres"], "slow queries", () => {
  let server: PostgresServer;
  let collected: Collection;
  beforeAll(async () => {
    server = await startPostgres({ settings: { log_min_duration_statement: THRESHOLD_MS, log_statement: "none" } });
    collected = collect([createInsights({ slowQueryMs: THRESHOLD_MS })]);
  });
  afterAll(async () => {
    collected.stop();
    instrumentation.disable();
    await server.stop();
  });

  test("are those of the server's own log, waits for a connection left out", async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 3 });
    // Away from the threshold on both sides: the network and the driver are not the server's time. Each has a name of its own,
    // and with three connections for thirty callers most of them wait far longer than the threshold.
    const queries = Array.from({ length: 30 }, (_, n) => {
      const seconds = n % 2 === 0 ? 0.01 + (n % 5) * 0.01 : 0.16 + (n % 5) * 0.02;
      return { name: `q${n}`, seconds, slow: seconds > THRESHOLD_MS / 1000 };
    });
    const waits: number[] = [];
    const stop = addListener({
      name: "waits",
      operationEnded: (operation) => void waits.push((operation as DatabaseOperation).waitMs),
    });
    await Promise.all(queries.map(({ name, seconds }) => pool.query(`SELECT pg_sleep(${seconds}) AS ${name}`)));
    stop();
    await pool.end();
    expect(waits.filter((ms) => ms > THRESHOLD_MS).length).toBeGreaterThan(15);

    const expected = queries.filter(({ slow }) => slow).map(({ name }) => name);
    let logged: string[] = [];
    const read = async (): Promise<void> => {
      const log = await server.log();
      logged = [...log.matchAll(/duration: ([\d.]+) ms {2}[^\n]* AS (q\d+)/g)].map(([, , name = ""]) => name);
    };
    await read();
    await waitFor(() => logged.length >= expected.length, "the server's log");
    // With so many callers the pool is found to be starved as well.
    const slow = collected.findings.filter(({ kind }) => kind === "slow_query");
    const found = slow.map(({ queryText }) => /AS (q\d+)/.exec(queryText ?? "")?.[1]);
    expect(found.sort()).toEqual(logged.sort());
    expect(found.sort()).toEqual(expected.sort());
  });
});
