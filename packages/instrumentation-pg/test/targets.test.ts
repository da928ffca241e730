import { addListener, type DatabaseTemplate, selfCounters } from "@telltale/core";
import { afterEach, expect, test } from "vitest";
import { findPostgresqlTarget } from "@telltale/core";
import { pg } from "./pg.js";

const heard: DatabaseTemplate[] = [];
const stop = addListener({
  name: "test",
  operationEnded: (operation) => void (operation.kind === "database" && heard.push(operation.template)),
});
afterEach(() => heard.splice(0));

test.each([
  { host: "127.0.0.1", port: 1, database: "shop#1" },
  { host: "127.0.0.1", port: 1, database: "a:2/b" },
])("a query that never got a connection was for $database", async (options) => {
  const pool = new pg.Pool(options);
  await expect(pool.query("SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await pool.end();
  expect(heard).toMatchObject([{ namespace: options.database, serverAddress: options.host, serverPort: options.port }]);
});

test("a query of a pool that ended before it had a connection was for nowhere", async () => {
  const pool = new pg.Pool({ host: "127.0.0.1", port: 1 });
  await pool.end();
  await expect(pool.query("SELECT 1")).rejects.toThrow("after calling end");
  expect(heard).toMatchObject([
    { namespace: undefined, serverAddress: undefined, serverPort: undefined, querySummary: "SELECT" },
  ]);
  stop();
});

test("targets and their templates are bounded, and what is beyond is counted", () => {
  const [targets, templates] = [reached("db.client.targets"), reached("db.client.templates")];
  for (let n = 0; n < 300; n += 1) findPostgresqlTarget("pg", "many", 5432, `tenant${n}`, undefined);
  expect(reached("db.client.targets") - targets).toBeGreaterThanOrEqual(100);
  const { templateOf } = findPostgresqlTarget("pg", "many", 5432, "tenant0", undefined);
  for (let n = 0; n < 1_100; n += 1) templateOf(`SELECT c${n}`);
  expect(reached("db.client.templates") - templates).toBe(100);
});

function reached(limit: string): number {
  return (
    [...selfCounters()].find(({ metric, value }) => metric === "telltale.limits.reached" && value === limit)?.total ?? 0
  );
}
