import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { fixture, REGISTER, runProgram } from "../run-program.js";
import { type PostgresServer, startPostgres } from "../servers/index.js";

const pg = createRequire(import.meta.url)("pg") as typeof import("pg");
const ROWS = '[{"n":15000}]\n';

describeWith(["postgres"], "EXPLAIN and sqlcommenter by the environment", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ settings: { log_statement: "all", log_line_prefix: "<%a> " } });
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query("CREATE TABLE things AS SELECT g AS id, g % 100 AS kind FROM generate_series(1, 1500000) g");
    await client.query("ANALYZE things");
    await client.end();
  });
  afterAll(() => server.stop());

  const run = (env: Record<string, string>) =>
    runProgram(fixture("explain/slow-once.cjs"), {
      nodeOptions: ["--require", REGISTER],
      env: {
        DATABASE: server.url,
        OTEL_TRACES_EXPORTER: "none",
        OTEL_EXPORTER_PROMETHEUS_PORT: "0",
        OTEL_SERVICE_NAME: "a shop",
        TELLTALE_SLOW_QUERY_MS: "1",
        TELLTALE_FINDINGS_LOG: "true",
        ...env,
      },
    });
  const findingsOf = (stderr: string): Record<string, unknown>[] =>
    stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ kind }) => kind === "slow_query");

  test("off by default", async () => {
    const { code, stdout, stderr } = await run({});
    expect({ code, stdout }).toEqual({ code: 0, stdout: ROWS });
    const [finding] = findingsOf(stderr);
    expect(finding).toBeDefined();
    expect(finding).not.toHaveProperty("plan");
    expect(finding?.["evidence"]).not.toHaveProperty("not_explained");
    const log = await server.log();
    expect(log).not.toContain("telltale explain");
    expect(log).not.toContain("db_driver");
  });

  test("on, the finding has the plan and its cure, and texts say whose they are", async () => {
    const { code, stdout, stderr } = await run({ TELLTALE_EXPLAIN: "true", TELLTALE_SQLCOMMENTER: "true" });
    expect({ code, stdout }).toEqual({ code: 0, stdout: ROWS });
    expect(findingsOf(stderr)).toMatchObject([
      {
        advice: expect.stringContaining("CREATE INDEX CONCURRENTLY ON things (kind)"),
        plan: expect.stringContaining("Seq Scan on things"),
        evidence: { plan_advice: "missing_index", index_to_try: "things (kind)" },
      },
    ]);
    expect(await server.log()).toContain("WHERE kind = $1 /*application='a%20shop',db_driver='pg'*/");
  });

  test("a program that ends meanwhile is not kept, and its finding is told", async () => {
    const { code, stdout, stderr, endMs } = await run({ TELLTALE_EXPLAIN: "true", END: "at once" });
    expect({ code, stdout }).toEqual({ code: 0, stdout: ROWS });
    expect(findingsOf(stderr)).toHaveLength(1);
    expect(endMs).toBeLessThan(5_000);
  });
});
