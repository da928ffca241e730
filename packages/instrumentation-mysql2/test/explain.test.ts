import type { DatabaseOperation, ExplainJob } from "@telltale/core";
import { collect, type Collection } from "@telltale/testkit";
import { describeWith } from "@telltale/test/describe-with";
import { type MariadbServer, startMariadb } from "@telltale/test/servers";
import { createRequire } from "node:module";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { mysql2Instrumentation } from "../src/index.js";

const instrumentation = mysql2Instrumentation({ explain: true });
instrumentation.enable();
const releases = [
  { name: "the oldest release", from: new URL("../../../.old-majors/package.json", import.meta.url) },
  { name: "the newest release", from: import.meta.url },
].map(({ name, from }) => ({
  name,
  mysql: createRequire(from)("mysql2/promise") as typeof import("mysql2/promise"),
}));

describeWith(["mariadb"], "EXPLAIN by the driver", () => {
  let server: MariadbServer;
  let collected: Collection;
  beforeAll(async () => {
    server = await startMariadb();
    const setup = await releases[0]?.mysql.createConnection({ uri: server.url });
    // InnoDB estimates how many rows it has, Aria knows.
    await setup?.query("CREATE TABLE things (id int PRIMARY KEY, kind int) ENGINE=Aria");
    await setup?.query("INSERT INTO things SELECT seq, seq % 10 FROM seq_1_to_100");
    await setup?.end();
  });
  afterAll(async () => {
    instrumentation.disable();
    await server.stop();
  });
  beforeEach(() => (collected = collect()));
  afterEach(() => collected.stop());

  const jobOf = (operation: DatabaseOperation): ExplainJob | string | undefined =>
    operation.explainer?.prepare(operation);

  test.each(releases)("$name", async ({ mysql }) => {
    const jobs: (ExplainJob | string | undefined)[] = [];
    // As listeners do: while the text is known.
    const listening = collect([
      { name: "test", operationEnded: (one) => void (one.kind === "database" && jobs.push(jobOf(one))) },
    ]);
    const connection = await mysql.createConnection({ uri: server.url });
    const pool = mysql.createPool({ uri: server.url, connectionLimit: 1 });
    await connection.query("SELECT id FROM things WHERE kind = ?", [3]);
    await connection.execute("SELECT id FROM things WHERE kind = ?", [3]);
    await pool.query("SELECT id FROM things WHERE kind = 3");
    await pool.execute({ sql: "SELECT id FROM things WHERE kind = ?", values: [3] });
    await connection.query("SELECT SLEEP(0)");
    await connection.end();
    await pool.end();
    listening.stop();
    expect(jobs).toHaveLength(5);
    for (const job of jobs.slice(0, 4)) {
      expect(typeof job).toBe("function");
      if (typeof job === "function") {
        expect(await job()).toEqual({
          plan: "things  (ALL rows=100 filtered=100%)\n     where things.kind = ?",
          advice: [],
        });
      }
    }
    expect(jobs[4]).toBe("it calls sleep(), which is not known to be harmless");
  });
});
