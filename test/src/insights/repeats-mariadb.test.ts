import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Finding } from "@telltale/core";
import { createInsights } from "@telltale/insights";
import { httpInstrumentation } from "@telltale/instrumentation-http";
import { mysql2Instrumentation } from "@telltale/instrumentation-mysql2";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Pool } from "mysql2/promise";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { type MariadbServer, startMariadb } from "../servers/index.js";
import { poolOf } from "./mariadb-queries.js";
import { type Case, casesOf, scoreKind, scoreOrders, scoreSources } from "./repeat-scores.js";
import {
  createReader,
  createWorks,
  type Dialect,
  each,
  LIBRARY,
  type Library,
  numbers,
  type QueryPool,
  type Work,
} from "./repeat-works.js";

const instrumentations = [mysql2Instrumentation(), httpInstrumentation()];
for (const instrumentation of instrumentations) instrumentation.enable();
const mysql = createRequire(import.meta.url)("mysql2/promise") as typeof import("mysql2/promise");

const DIALECT: Dialect = {
  among: (column, parameter = "$1") => `${column} IN (${parameter})`,
  sleep: (seconds) => `SLEEP(${seconds})`,
  newYearAnd: "date '2026-01-01' + INTERVAL $1 DAY",
  failsFiveTimes: "fail_five_times()",
  failing: "SELECT id FROM nowhere WHERE id = $1",
};
/** Why these are missed, and a false alarm. */
const WRONG: Readonly<Record<string, string>> = {
  any_of_a_list: "a query with a list of several is taken for a batch, also where another value is the key",
  small_chunks: "few rows each and no limit: as the questions about each day are",
};

describeWith(["mariadb"], "what one request asks MariaDB again and again", () => {
  let server: MariadbServer;
  let driver: Pool;
  let pool: QueryPool;
  let library: Library;
  let collected: Collection;
  let folder = "";
  const insights = createInsights({ nPlusOne: { minTotalMs: 0 } });
  const { rows } = createReader(() => pool);
  const works: Readonly<Record<string, Work>> = {
    ...createWorks(
      () => pool,
      () => library,
      DIALECT,
    ),
    json_rows: [
      (keys) =>
        each(numbers(keys), (n) =>
          rows("SELECT name FROM users JOIN JSON_TABLE($1, '$[*]' COLUMNS (id int PATH '$.id')) AS k USING (id)", [
            JSON.stringify([{ id: n }, { id: n + 1 }]),
          ]),
        ),
    ],
    values: [
      (keys) =>
        each(numbers(keys), (n) =>
          rows("WITH k (id) AS (VALUES ($1), ($2)) SELECT name FROM users JOIN k USING (id)", [n, n + 1]),
        ),
    ],
  };
  const cases = casesOf(works, [9, 16, 22]);
  const listening = createServer((request, response) => {
    const one = cases.find(({ route }) => route === request.url);
    void one?.run().then(
      () => response.end("ok"),
      (error: unknown) => response.end(String(error)),
    );
  });

  beforeAll(async () => {
    server = await startMariadb();
    collected = collect([insights]);
    const setup = await mysql.createConnection({ uri: server.url, multipleStatements: true });
    await setup.query(`
      CREATE TABLE users (id int PRIMARY KEY, name text);
      CREATE TABLE orders (id int PRIMARY KEY, user_id int, day date);
      CREATE TABLE items (id int PRIMARY KEY, order_id int, product_id int, KEY (order_id));
      CREATE TABLE products (id int PRIMARY KEY, name text);
      CREATE TABLE jobs (id int AUTO_INCREMENT PRIMARY KEY, state varchar(20), KEY (state, id));
      INSERT INTO users SELECT seq, concat('user ', seq) FROM seq_1_to_200;
      INSERT INTO orders SELECT seq, seq, date '2026-01-01' + INTERVAL seq DAY FROM seq_1_to_400;
      INSERT INTO items SELECT seq, (seq + 3) DIV 4, seq FROM seq_1_to_1600;
      INSERT INTO products SELECT seq, concat('product ', seq) FROM seq_1_to_1600;
      INSERT INTO jobs (state) SELECT 'new' FROM seq_1_to_2000;
      CREATE SEQUENCE tries;
      CREATE FUNCTION fail_five_times() RETURNS int BEGIN
        IF NEXTVAL(tries) % 6 <> 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not yet'; END IF;
        RETURN 1; END;`);
    await setup.end();
    driver = mysql.createPool({ uri: server.url, connectionLimit: 8 });
    pool = poolOf(driver);
    folder = mkdtempSync(join(tmpdir(), "telltale-orm-"));
    mkdirSync(join(folder, "node_modules/orm"), { recursive: true });
    writeFileSync(join(folder, "node_modules/orm/index.mjs"), LIBRARY);
    library = (await import(join(folder, "node_modules/orm/index.mjs"))) as Library;
    listening.listen(0, "127.0.0.1");
    await once(listening, "listening");
  });
  afterAll(async () => {
    listening.closeAllConnections();
    listening.close();
    await driver?.end();
    insights.stop();
    collected.stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The findings of a request, with its path for a route, as no framework names one. */
  async function serve({ route }: Case): Promise<Finding[]> {
    collected.reset();
    const { port } = listening.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}${route}`);
    expect([route, await answer.text()]).toEqual([route, "ok"]);
    await waitFor(() => collected.operations.some(({ kind }) => kind === "http.server"), "the request to end");
    return collected.findings.map((finding) => Object.assign({}, finding, { route }));
  }

  test("loops are found, with what feeds them and in which order, and what is none is not", async () => {
    const loops: Finding[] = [];
    for (const one of cases) loops.push(...(await serve(one)));
    for (const [kind, row] of [
      ["n_plus_one", "n_plus_one (MariaDB)"],
      ["duplicate_query", "duplicate_query (MariaDB)"],
    ] as const) {
      const { wrong, precision, recall } = scoreKind(kind, cases, loops, row);
      const isUnknown = (label: string): boolean => !((/\w+/.exec(label)?.[0] ?? "") in WRONG);
      expect.soft({ kind, wrong: wrong.filter(isUnknown) }).toEqual({ kind, wrong: [] });
      expect.soft(precision).toBeGreaterThan(0.95);
      expect.soft(recall).toBeGreaterThan(0.95);
    }
    expect
      .soft(scoreSources("source of a loop (MariaDB)", cases, loops))
      .toMatchObject({ missed: [], falseAlarms: [] });
    expect.soft(scoreOrders("order of a loop (MariaDB)", cases, loops)).toMatchObject({ missed: [], falseAlarms: [] });
  }, 60_000);
});
