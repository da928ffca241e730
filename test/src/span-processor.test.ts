import { SpanKind } from "@opentelemetry/api";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { fixture, runProgram } from "./run-program.js";
import { type PostgresServer, startPostgres } from "./servers/index.js";

interface Said {
  findings: { kind: string; title: string; queryText: string; count: number; traceId: string; why?: unknown }[];
  spans: { name: string; kind: SpanKind; attributes: Record<string, unknown> }[];
  points: { attributes: Record<string, string>; value: number }[];
}

const OLD = "upstream-pg-old";
const NEW = "@opentelemetry/instrumentation-pg";

describeWith(["postgres"], "InsightsSpanProcessor in the stock SDK, with the upstream instrumentation of pg", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
    const client = new pg.Client(server.url);
    await client.connect();
    await client.query("CREATE TABLE items AS SELECT 1 AS id");
    await client.end();
  });
  afterAll(() => server.stop());

  test.each<[names: string, instrumentation: string, optIn: string, has: string, hasNot: string | undefined]>([
    ["old names", OLD, "", "db.statement", "db.query.text"],
    ["new names", OLD, "database", "db.query.text", "db.statement"],
    ["both", OLD, "database/dup", "db.query.text", undefined],
    ["the names of today's version", NEW, "", "db.query.text", "db.statement"],
  ])("%s", async (_, instrumentation, optIn, has, hasNot) => {
    const { code, stdout, stderr } = await runProgram(fixture("stock-sdk.cjs"), {
      args: [instrumentation],
      env: { DATABASE_URL: server.url, OTEL_SEMCONV_STABILITY_OPT_IN: optIn, OTEL_LOGS_EXPORTER: "none" },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { findings, spans, points } = JSON.parse(stdout) as Said;
    const queries = spans.filter(({ attributes }) => has in attributes);
    // 25 one by one, 25 the same, a slow one, and two that are sound.
    expect(queries).toHaveLength(53);
    expect(queries.some(({ attributes }) => hasNot !== undefined && hasNot in attributes)).toBe(false);

    expect(findings.map(({ kind, queryText, count }) => ({ kind, queryText, count }))).toEqual([
      { kind: "n_plus_one", queryText: "SELECT pg_sleep(?), $1::int AS item", count: 25 },
      { kind: "duplicate_query", queryText: "SELECT id FROM items, pg_sleep(?)", count: 25 },
      { kind: "slow_query", queryText: "SELECT pg_sleep(?), ? AS word", count: 1 },
    ]);
    expect(findings.map(({ title }) => title)).toEqual([
      expect.stringMatching(/^GET runs SELECT 25 times \(\S+ ms of \S+ ms\), one after the other$/),
      expect.stringMatching(
        /^GET runs SELECT items pg_sleep 25 times \(\S+ ms of \S+ ms\) with the same parameters, one after the other$/,
      ),
      expect.stringMatching(/^SELECT took 1[5-9]\d ms in GET \(threshold 100 ms\)$/),
    ]);
    for (const finding of findings) {
      expect(finding.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(finding.why).toBeUndefined();
    }

    const noted = (path: string) => spans.find(({ attributes }) => attributes["url.path"] === path)?.attributes;
    expect(noted("/loop")).toMatchObject({ "telltale.finding.kind": "n_plus_one", "telltale.finding.count": 25 });
    expect(noted("/same")).toMatchObject({ "telltale.finding.kind": "duplicate_query" });
    expect(noted("/sound")).not.toHaveProperty(["telltale.finding.kind"]);
    const slow = queries.filter(({ attributes }) => attributes["telltale.slow.reason"] === "threshold");
    expect(slow.map(({ attributes }) => attributes[has])).toEqual(["SELECT pg_sleep(0.15), 'secret' AS word"]);

    expect(points.map(({ attributes, value }) => [attributes["telltale.finding.kind"], value])).toEqual([
      ["n_plus_one", 1],
      ["duplicate_query", 1],
      ["slow_query", 1],
    ]);
  });
});
